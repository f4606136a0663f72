// One message: its role, its text in an editor, its preview, and what few messages need behind a disclosure.
import { codeEditor, setText, showErrors } from "./code_editor.js";
import { completeTemplate } from "./completion.js";
import { count, debounced, el, iconButton } from "./dom.js";
import { renderMarkdown } from "./markdown.js";

const ROLES = ["system", "developer", "user", "assistant", "tool", "placeholder"];
/** A token is about four letters of English; the check tells the whole prompt's number more closely. */
const CHARS_PER_TOKEN = 4;

export class MessageCard {
  /** @param {{changed: Function, remove: Function, moveBy: Function}} owner hears of each, with this card */
  constructor(context, message, owner) {
    this.context = context;
    this.message = message;
    this.owner = owner;
    this.dirty = false;
    this.rendered = null;
    this.count = debounced(() => this.showCount(), 250);
    this.element = el("div", { class: "wb-message", role: "listitem" });
    this.drawHead();
    this.drawText();
    this.drawMore();
    this.errors = el("div", { class: "wb-message-errors" });
    this.element.append(this.head, this.text, this.preview, this.more, this.errors);
    this.showRole();
    this.showCount();
  }

  drawHead() {
    this.handle = iconButton("grip-vertical", "Move", null, {
      class: "wb-icon-button wb-handle",
      "data-move": true,
      on: { keydown: (event) => this.onHandleKey(event) },
    });
    this.role = el(
      "select",
      { class: "form-select form-select-sm wb-role", on: { change: () => this.onRole() } },
      ...ROLES.map((role) => el("option", { value: role, text: role })),
    );
    this.role.value = this.message.role;
    this.counted = el("span", { class: "wb-count" });
    this.previewButton = iconButton("eye", "Preview", () => this.togglePreview(), {
      "aria-pressed": "false",
    });
    this.up = iconButton("arrow-up", "Move up", () => this.owner.moveBy(this, -1));
    this.down = iconButton("arrow-down", "Move down", () => this.owner.moveBy(this, 1));
    this.removeButton = iconButton("trash", "Remove", () => this.owner.remove(this));
    const buttons = [this.previewButton, this.up, this.down, this.removeButton];
    const right = el("span", { class: "wb-message-buttons" }, this.counted, ...buttons);
    this.head = el("header", { class: "wb-message-head" }, this.handle, this.role, right);
  }

  drawText() {
    this.view = codeEditor({
      doc: this.message.content,
      language: "jinja",
      label: "Message",
      nonce: this.context.nonce,
      hint: "Write here. {{ name }} is a variable.",
      complete: [completeTemplate(this.context)],
      onChange: () => this.onInput(),
    });
    this.text = el("div", { class: "wb-message-text" }, this.view.dom);
    this.preview = el("div", { class: "wb-preview markdown", hidden: true, tabindex: "0", role: "group" });
  }

  drawMore() {
    const { message } = this;
    const field = (name, label, hint) => {
      const input = el("input", {
        class: "form-control form-control-sm",
        on: { input: () => this.onInput() },
      });
      input.value = message[name] ?? "";
      this[name] = input;
      return el(
        "label",
        { class: "wb-small-field", "data-for": name },
        label,
        input,
        el("span", { class: "form-hint", text: hint }),
      );
    };
    this.more = el(
      "details",
      { class: "wb-more" },
      el("summary", { text: "Name and tool calls" }),
      field("name", "Name", "Optional; of a placeholder, the variable that holds the messages."),
      field("tool_call_id", "Answers the tool call", "Its id; of tool messages only."),
    );
    this.more.open = message.role === "placeholder" || message.role === "tool" || Boolean(message.tool_calls);
  }

  /** Few messages have tool calls: their editor is made when one could. */
  drawCalls() {
    if (this.calls) return;
    this.calls = codeEditor({
      doc: this.message.tool_calls ?? "",
      language: "json",
      label: "Tool calls",
      nonce: this.context.nonce,
      hint: "A JSON list of tool calls",
      onChange: () => this.onInput(),
    });
    this.more.append(
      el("div", { class: "wb-small-field", "data-for": "tool_calls" }, "Tool calls", this.calls.dom),
    );
    this.calls.contentDOM.setAttribute("aria-label", `Tool calls of ${this.called ?? "the message"}`);
  }

  onInput() {
    this.owner.changed(this);
    this.count();
  }

  onRole() {
    this.showRole();
    this.owner.changed(this);
  }

  /** Arrows on the handle move the message, with Alt or without. */
  onHandleKey(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.owner.moveBy(this, step);
  }

  showRole() {
    const role = this.role.value;
    this.element.dataset.role = role;
    if (role === "placeholder" || role === "tool") this.more.open = true;
    if (role === "assistant" || this.message.tool_calls) this.drawCalls();
  }

  /** The message is the `index`-th of `length`: its labels say so. */
  number(index, length) {
    const name = `message ${index + 1}`;
    this.called = name;
    this.element.setAttribute("aria-label", `Message ${index + 1}`);
    this.handle.setAttribute("aria-label", `Move ${name}: drag, or press an arrow key`);
    this.role.setAttribute("aria-label", `Role of ${name}`);
    this.previewButton.setAttribute("aria-label", `Preview ${name}`);
    this.up.setAttribute("aria-label", `Move ${name} up`);
    this.down.setAttribute("aria-label", `Move ${name} down`);
    this.removeButton.setAttribute("aria-label", `Remove ${name}`);
    this.preview.setAttribute("aria-label", `Preview of ${name}`);
    this.view.contentDOM.setAttribute("aria-label", `Text of ${name}`);
    this.calls?.contentDOM.setAttribute("aria-label", `Tool calls of ${name}`);
    this.up.disabled = index === 0;
    this.down.disabled = index === length - 1;
  }

  showCount() {
    const { length } = this.view.state.doc;
    const tokens = Math.ceil(length / CHARS_PER_TOKEN);
    this.counted.textContent = length ? `${count(length)} characters · ≈ ${count(tokens)} tokens` : "";
  }

  /** What was typed, into the document's message. */
  writeBack() {
    this.dirty = false;
    Object.assign(this.message, {
      role: this.role.value,
      content: this.view.state.doc.toString(),
      name: this.name.value,
      tool_call_id: this.tool_call_id.value,
      tool_calls: this.calls?.state.doc.toString() ?? this.message.tool_calls,
    });
  }

  showErrors(errors) {
    const isText = (error) => error.place.endsWith(".content") || /\]$/.test(error.place);
    showErrors(this.view, errors.filter(isText));
    const said = errors.map((error) => {
      const where = error.line && isText(error) ? `Line ${error.line}: ` : "";
      return el("p", { class: "wb-error", text: `${where}${error.message}` });
    });
    this.errors.replaceChildren(...said);
    this.element.classList.toggle("wb-message-wrong", errors.length > 0);
    if (errors.some((error) => !isText(error))) this.more.open = true;
  }

  /** `text` is the message with the values filled in, or null while there is none. */
  showRendered(text) {
    this.rendered = text;
    if (!this.preview.hidden) this.drawPreview();
  }

  togglePreview() {
    const shown = this.preview.hidden;
    this.preview.hidden = !shown;
    this.text.hidden = shown;
    this.previewButton.setAttribute("aria-pressed", String(shown));
    if (shown) this.drawPreview();
    else this.view.requestMeasure();
  }

  drawPreview() {
    const text = this.rendered ?? this.view.state.doc.toString();
    this.preview.replaceChildren(renderMarkdown(text || "*Nothing is written yet.*"));
  }

  setContent(text) {
    setText(this.view, text);
  }

  focus() {
    if (this.role.value === "placeholder") this.name.focus();
    else this.view.focus();
  }

  focusHandle() {
    this.handle.focus();
  }

  destroy() {
    this.count.cancel();
    this.view.destroy();
    this.calls?.destroy();
    this.element.remove();
  }
}
