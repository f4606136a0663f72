// One key for each thing. Digits answer the field that is marked; what is typed in a text stays text.
import { keyOf, optionsOf } from "./form_values.js";

const TYPING =
  "input:not([type=checkbox]):not([type=radio]):not([type=button]), textarea, select, [contenteditable=true]";
/** These act by themselves when Enter is pressed on them. */
const PRESSED = "button, a[href], summary";
const SEQUENCE_MS = 1_200;
/** The key that sent the item before, pressed twice, must not answer the next one unseen. */
const SETTLE_MS = 350;
const VOTES = { a: 0, b: 1, t: 2, x: 3 };

export function mountKeys(context) {
  const keys = new Keys(context);
  document.addEventListener("keydown", keys.hear, true);
  return () => document.removeEventListener("keydown", keys.hear, true);
}

class Keys {
  constructor({ root, boot, session, form, preferences, skip }) {
    Object.assign(this, { root, boot, session, form, preferences, skip });
    this.hear = (event) => this.press(event);
    session.addEventListener("show", () => {
      this.shownAt = performance.now();
      this.sentBy = this.last;
      delete root.dataset.tabbing;
    });
    root.dataset.keysHere = JSON.stringify(this.list());
  }

  press(event) {
    if (event.defaultPrevented || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const typing = Boolean(event.target.closest?.(TYPING));
    const act =
      event.ctrlKey || event.metaKey ? this.withControl(key, typing) : this.plain(event, key, typing);
    if (!act) return;
    event.preventDefault();
    if (event.repeat) return;
    this.last = key;
    act();
  }

  withControl(key, typing) {
    if (key === "Enter") return () => this.form.submit();
    // In a text it takes back what was typed.
    if (key === "z" && !typing) return () => this.session.back();
    return null;
  }

  plain(event, key, typing) {
    if (key === "Tab") return this.tab(event);
    if (typing) return this.whileTyping(event, key);
    if (this.isSecondOfTwo(event, key) || event.shiftKey) return null;
    if (key === "Enter") return event.target.closest?.(PRESSED) ? null : () => this.form.submit();
    const inChoice = Boolean(event.target.closest?.(".lb-options"));
    if (key === "ArrowLeft" && !inChoice) return () => this.session.back();
    if (key === "ArrowRight" && !inChoice) return () => this.session.leaveAsItWas();
    const named = {
      Backspace: () => this.session.back(),
      Escape: () => this.session.leaveAsItWas(),
      s: () => this.skip.open("later"),
      k: () => this.skip.open("conflict"),
      m: () => this.preferences.set("view", this.preferences.get("view") === "plain" ? "markdown" : "plain"),
      i: () => this.root.querySelector("#lb-instructions summary")?.click(),
    };
    return this.choice(key) ?? named[key] ?? null;
  }

  whileTyping(event, key) {
    if (!event.target.closest("#lb-form")) return null;
    if (key === "Escape") return () => this.root.querySelector("#lb-item").focus({ preventScroll: true });
    if (key === "Enter" && event.target.matches("input")) return () => this.form.submit();
    return null;
  }

  /** From the text into the form, and there from field to field. Where there is no further one, Tab goes its own way. */
  tab(event) {
    const here = document.activeElement;
    const outside = here === document.body || here === this.root.querySelector("#lb-item");
    this.root.dataset.tabbing = "";
    if (outside && !event.shiftKey && this.session.current) return () => this.form.enter();
    if (!here.closest?.("#lb-fields")) return null;
    return this.form.step(event.shiftKey ? -1 : 1) ? () => {} : null;
  }

  /** "g p" and the like lead to other pages. */
  isSecondOfTwo(event, key) {
    const second = performance.now() - (this.wentAt ?? -SEQUENCE_MS) < SEQUENCE_MS;
    this.wentAt = key === "g" ? performance.now() : -SEQUENCE_MS;
    return second && key !== "g";
  }

  choice(key) {
    const { session, form } = this;
    if (!session.current) return null;
    const vote = form.elements.find((element) => element.dataset.kind === "vote");
    if (vote && key in VOTES) return this.settled(key, () => vote.choose(VOTES[key]));
    if (!/^\d$/.test(key) || !form.active?.choose) return null;
    const field = form.field(form.active);
    const place = optionsOf(field).findIndex(([value], number) => keyOf(field, value, number) === key);
    return place < 0 ? null : this.settled(key, () => form.active.choose(place));
  }

  settled(key, act) {
    const tooSoon = key === this.sentBy && performance.now() - this.shownAt < SETTLE_MS;
    return tooSoon ? () => {} : act;
  }

  list() {
    const pair = this.boot.form[0].kind === "vote";
    return [
      ...(pair
        ? [
            ["A", "A is better (also 1)"],
            ["B", "B is better (also 2)"],
          ]
        : []),
      ...(pair
        ? [
            ["T", "A tie (also 3)"],
            ["X", "Both are bad (also 4)"],
          ]
        : []),
      ["1 – 9", "Answer the marked field"],
      ["Enter", "Submit; the next item is there"],
      ["mod+enter", "Submit, also while typing"],
      ["Tab", "The next field"],
      ["Escape", "Leave a text; leave an earlier item as it was"],
      ["S", "Skip: it comes back later"],
      ["K", "I know this one: it does not come back"],
      ["mod+z", "Take back the last one"],
      ["←", "Back to the one before"],
      ["→", "On again"],
      ["M", "Texts as Markdown or plain"],
      ["I", "Instructions"],
    ];
  }
}
