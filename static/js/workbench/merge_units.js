// The pieces of a merge, each with what it comes to: a text to put together, one of two values, a whole message.
import { history, historyKeymap, defaultKeymap } from "@codemirror/commands";
import { goToNextChunk, goToPreviousChunk, MergeView } from "@codemirror/merge";
import { EditorView, keymap, lineNumbers } from "@codemirror/view";
import { base, typingOver } from "../editor_base.js";
import { DIFF_LIMIT, isNarrow, readingExtensions } from "./differences.js";
import { setText } from "./code_editor.js";
import { el, icon } from "./dom.js";

function frame(title, isConflict, ...buttons) {
  const mark = isConflict ? el("span", { class: "badge wbm-both", text: "both changed" }) : null;
  const head = el(
    "div",
    { class: "wbm-head" },
    el("h3", { class: "wbd-title", text: title }),
    mark,
    ...buttons,
  );
  return el("section", { class: `wbm-unit${isConflict ? " wbm-conflict" : ""}`, "aria-label": title }, head);
}

const button = (text, label, click) =>
  el("button", { type: "button", class: "btn btn-sm", "aria-label": label, text, on: { click } });

/** A text: theirs left, what will be saved right, with an arrow between for each stretch that differs. */
export class TextUnit {
  constructor({ title, language, isConflict, theirs, begun, mine, nonce, number, changed }) {
    Object.assign(this, { title, language, isConflict, theirs, mine, nonce, number, changed });
    this.text = begun;
    this.differs = theirs !== begun || theirs !== mine;
    const take = (text) => () => this.set(text);
    this.element = frame(
      title,
      isConflict,
      button("Take theirs", `${title}: take theirs`, take(theirs)),
      button("Keep mine", `${title}: keep mine`, take(mine)),
    );
  }

  get value() {
    return this.view ? this.view.b.state.doc.toString() : this.text;
  }

  set(text) {
    setText(this.view.b, text);
    this.view.b.focus();
  }

  /** Editors measure themselves, so they are made once the dialogue is open. */
  start() {
    if (!this.differs) return;
    const place = el("div", { class: "wbd-texts" });
    this.element.append(place);
    this.view = new MergeView({
      a: {
        doc: this.theirs,
        extensions: readingExtensions(this.language, this.nonce, `${this.title}, version ${this.number}`),
      },
      b: { doc: this.text, extensions: this.writing() },
      parent: place,
      gutter: true,
      highlightChanges: true,
      revertControls: "a-to-b",
      renderRevertControl: () => this.arrow(),
      collapseUnchanged: isNarrow() ? undefined : { margin: 3, minSize: 8 },
      diffConfig: DIFF_LIMIT,
    });
  }

  writing() {
    const keys = [
      { key: "Alt-ArrowDown", run: goToNextChunk },
      { key: "Alt-ArrowUp", run: goToPreviousChunk },
    ];
    return [
      base(this.language, this.nonce),
      lineNumbers(),
      history(),
      typingOver,
      keymap.of([...keys, ...defaultKeymap.filter(({ key }) => key !== "Mod-Enter"), ...historyKeymap]),
      EditorView.contentAttributes.of({ "aria-label": `${this.title}, what will be saved` }),
      EditorView.updateListener.of((update) => update.docChanged && this.changed()),
    ];
  }

  /** CodeMirror hears only the mouse here: a click by the keyboard becomes what it hears. */
  arrow() {
    const onClick = (event) => {
      if (event.detail) return;
      event.currentTarget.dispatchEvent(
        new MouseEvent("mousedown", { bubbles: true, cancelable: true, button: 0 }),
      );
    };
    const label = `${this.title}: take this piece of theirs`;
    const arrow = el("button", {
      type: "button",
      class: "wbm-arrow",
      "aria-label": label,
      title: label,
      on: { click: onClick },
    });
    arrow.append(icon("arrow-right") ?? "→");
    return arrow;
  }

  destroy() {
    this.text = this.value;
    this.view?.destroy();
    this.view = undefined;
  }
}

/** One short value: theirs or mine. */
export class ChoiceUnit {
  constructor({ title, isConflict, theirs, begun, mine, changed }) {
    Object.assign(this, { isConflict, value: begun });
    this.differs = theirs !== begun || theirs !== mine;
    this.element = frame(title, isConflict);
    const name = `merge ${title}`;
    const option = (text, whose) => {
      const input = el("input", {
        class: "form-check-input",
        type: "radio",
        name,
        on: { change: () => this.set(text, changed) },
      });
      input.checked = text === begun;
      const words = el("span", { class: "form-check-label", text: `${whose}: ${text || "not set"}` });
      return el("label", { class: "form-check" }, input, words);
    };
    const options =
      theirs === mine ? [option(theirs, "Theirs")] : [option(theirs, "Theirs"), option(mine, "Mine")];
    if (begun !== theirs && begun !== mine) options.push(option(begun, "Put together"));
    this.element.append(
      el("div", { class: "wbm-choice", role: "radiogroup", "aria-label": title }, ...options),
    );
  }

  set(text, changed) {
    this.value = text;
    changed();
  }

  start() {}

  destroy() {}
}

/** A message that only one of the two has: it stays, or is left out. */
export class LoneMessageUnit {
  constructor({ message, isTheirs, number, changed }) {
    this.message = message;
    this.isConflict = false;
    this.differs = true;
    const title = `Message ${number} · ${message.role} · only in ${isTheirs ? "theirs" : "yours"}`;
    this.box = el("input", { class: "form-check-input", type: "checkbox", on: { change: changed } });
    this.box.checked = !isTheirs;
    const label = el(
      "label",
      { class: "form-check" },
      this.box,
      el("span", { class: "form-check-label", text: "Save it too" }),
    );
    this.element = frame(title, false, label);
    const text = [message.content, message.name, message.tool_calls].filter(Boolean).join("\n");
    this.element.append(el("div", { class: "message-text", text: text || "(empty)" }));
  }

  get value() {
    return this.box.checked ? this.message : null;
  }

  start() {}

  destroy() {}
}
