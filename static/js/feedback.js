// Thumbs beside an answer, for any web page: <llmops-feedback token="…">. Served as /feedback.js, under 5 KB.
// No inline style, no markup from strings, no cookie; all that people wrote goes in as text.
const script = document.currentScript;
const home = script?.dataset.endpoint || script?.src || location.href;
const TEXTS = ["comment", "correction"];
/** The element's name, and that of its event. */
const NAME = "llmops-feedback";
const SVG = "http://www.w3.org/2000/svg";
const THUMB =
  "M7 11v8a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1h3a4 4 0 0 0 4-4V6a2 2 0 0 1 4 0v5h3a2 2 0 0 1 2 2l-1 5a2 3 0 0 1-2 2h-7a3 3 0 0 1-3-3";

const sheet = new CSSStyleSheet();
sheet.replaceSync(`:host{display:inline-block;color:var(--feedback-color,inherit);--b:1px solid var(--feedback-border,#8888);--r:var(--feedback-radius,.375rem)}
[hidden]{display:none!important}
div{display:flex;flex-wrap:wrap;gap:.375rem;align-items:center}
button{all:unset;box-sizing:border-box;display:flex;align-items:center;min-height:1.75rem;padding:0 .5rem;cursor:pointer;border:var(--b);border-radius:var(--r)}
:focus-visible{outline:2px solid var(--feedback-focus,currentColor)!important}
button:hover,[aria-pressed=true]{background:#8883}
[aria-pressed=true]{color:var(--feedback-on,inherit);border-color:currentColor}
[aria-pressed=true] svg{fill:currentColor}
svg{width:1.125rem;fill:none;stroke:currentColor;stroke-width:2}
.down svg{rotate:180deg}
form,label{display:grid;gap:.375rem}
form{width:min(26rem,80vw);margin-top:.5rem}
textarea{font:inherit;color:inherit;background:0 0;border:var(--b);border-radius:var(--r);padding:.375rem}`);

/** An element with properties (those with a dash, and `role` and `part`, as attributes) and children. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/-|^role|^part/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

class LlmopsFeedback extends HTMLElement {
  static observedAttributes = ["token"];
  said = {};
  sending = Promise.resolve();

  connectedCallback() {
    if (this.status) return;
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    this.status = make("span", { role: "status", part: "status" });
    this.again = this.button("again", "Try again", () => this.send(this.unsent));
    this.again.hidden = true;
    this.up = this.thumb("up", "Good answer");
    this.down = this.thumb("down", "Bad answer");
    this.panel = this.form();
    root.append(
      this.group("group", "Rate this answer", this.up, this.down, this.status, this.again),
      this.panel,
    );
    this.load();
  }

  attributeChangedCallback() {
    if (this.status) this.load();
  }

  get token() {
    return this.getAttribute("token") || this.dataset.token;
  }

  /** What is shown, in the page's own words where it gives them: text-up="Hilfreich". */
  text(name, english) {
    return this.getAttribute(`text-${name}`) || english;
  }

  group(name, english, ...children) {
    return make("div", { role: "group", "aria-label": this.text(name, english) }, ...children);
  }

  button(name, english, onclick) {
    return make("button", { type: "button", part: `button ${name}`, onclick }, this.text(name, english));
  }

  thumb(name, english) {
    const onclick = () => this.send({ thumb: this.said.thumb === name ? null : name });
    const button = this.button(name, english, onclick);
    const icon = document.createElementNS(SVG, "svg");
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", THUMB);
    icon.setAttribute("viewBox", "0 0 24 24");
    icon.append(path);
    button.className = name;
    button.ariaLabel = button.title = button.textContent;
    button.replaceChildren(icon);
    return button;
  }

  form() {
    this.reasons = this.group("reason", "What was wrong?");
    this.fields = TEXTS.map((key, place) => {
      this[key] = make("textarea", { part: key, rows: 2, maxLength: [4e3, 5e4][place] });
      return make("label", {}, this.text(key, ["Comment", "A better answer"][place]), this[key]);
    });
    const send = this.button("send", "Send");
    send.type = "submit";
    const close = this.button("close", "Close", () => this.close());
    const buttons = make("div", {}, send, close);
    const panel = make("form", { part: "panel", hidden: true }, this.reasons, ...this.fields, buttons);
    panel.onkeydown = ({ key }) => {
      if (key === "Escape") this.close();
    };
    panel.onsubmit = (event) => {
      event.preventDefault();
      const told = {};
      for (const key of TEXTS) if (this.may(key)) told[key] = this[key].value;
      this.send(told);
    };
    return panel;
  }

  close() {
    this.panel.hidden = true;
    this.down.focus();
  }

  may(key) {
    return this.said.keys?.includes(key);
  }

  load() {
    this.unsent = null;
    this.ask("own/", { headers: { "Feedback-Token": this.token } });
  }

  /** Send what was said, after what is still on its way; a thumb down asks for the reason. */
  send(body) {
    if (!body) return this.load();
    this.unsent = body;
    this.sending = this.sending.then(async () => {
      const text = JSON.stringify({ ...body, token: this.token });
      const headers = { "Content-Type": "application/json" };
      if (!(await this.ask("", { method: "POST", headers, body: text, keepalive: text.length < 2e4 })))
        return;
      this.unsent = null;
      this.status.textContent = this.said.thumb ? this.text("thanks", "Thank you.") : "";
      if ("thumb" in body) this.panel.hidden = this.said.thumb !== "down" || !this.said.keys[1];
      else if (!("reason" in body)) this.close();
    });
    return this.sending;
  }

  /** True when the answer is shown. An error is said, and may be tried again. */
  async ask(path, options) {
    let detail = this.text("failed", "That could not be sent.");
    let said = null;
    const { token } = this;
    this.again.hidden = true;
    try {
      const signal = AbortSignal.timeout?.(2e4);
      const answer = await fetch(new URL(`/api/v1/feedback/${path}`, this.dataset.endpoint || home), {
        credentials: "omit",
        signal,
        ...options,
      });
      const told = await answer.json();
      if (answer.ok) said = told;
      else detail = told.detail || detail;
    } catch {
      // No connection, or a page that may not: both are said below.
    }
    if (token !== this.token) return false;
    if (said) this.show(said);
    this.status.textContent = said ? "" : detail;
    this.again.hidden = !!said;
    this.dispatchEvent(
      new CustomEvent(NAME, {
        bubbles: true,
        composed: true,
        detail: said || { error: detail },
      }),
    );
    return said;
  }

  show(said) {
    this.said = said;
    for (const name of ["up", "down"]) this[name].setAttribute("aria-pressed", said.thumb === name);
    const focused = this.shadowRoot.activeElement?.textContent;
    this.reasons.replaceChildren(
      ...(this.may("reason") ? said.reasons : []).map((reason) => {
        const on = reason === said.reason;
        const onclick = () => this.send({ reason: on ? "" : reason });
        return make("button", { type: "button", part: "button reason", "aria-pressed": on, onclick }, reason);
      }),
    );
    [...this.reasons.children].find((button) => button.textContent === focused)?.focus();
    TEXTS.forEach((key, place) => {
      this.fields[place].hidden = !this.may(key);
      if (said[key]) this[key].value = said[key];
    });
  }
}

if (!customElements.get(NAME)) customElements.define(NAME, LlmopsFeedback);
// <script src="…/feedback.js" data-token="…">: the thumbs stand where the script does.
if (script?.dataset.token) {
  script.after(make(NAME, { "data-token": script.dataset.token }));
}
