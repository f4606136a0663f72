// Tools and response schema as JSON editors: syntax is told at once, the rest by the server's check.
import { codeEditor, setText, showErrors } from "./code_editor.js";
import { debounced, el } from "./dom.js";
import { isAt } from "./parameters.js";

const ME = "json-parts";
const PARTS = [
  ["tools", "Tools", "A JSON list of functions that the model may call, as in OpenAI's API."],
  ["response_schema", "Response schema", "A JSON schema that the answer must fulfil."],
];

class JsonPart {
  constructor(context, name, title, words) {
    this.context = context;
    this.name = name;
    this.write = debounced(() => this.writeBack(), 200);
    context.pending.add(this.write);
    this.view = codeEditor({
      doc: "",
      language: "json",
      label: title,
      nonce: context.nonce,
      hint: words,
      onChange: () => this.onInput(),
    });
    this.problem = el("p", { class: "wb-error", hidden: true });
    this.tidyButton = el("button", {
      type: "button",
      class: "btn btn-sm btn-ghost",
      text: "Format",
      on: { click: () => this.tidy() },
    });
    this.state = el("span", { class: "wb-part-state" });
    this.element = el(
      "details",
      { class: "wb-part wb-json" },
      el("summary", {}, el("span", { class: "wb-title", text: title }), this.state),
      el("p", { class: "form-hint", text: words }),
      this.view.dom,
      this.problem,
      this.tidyButton,
    );
  }

  get column() {
    return this.context.store.selected;
  }

  show() {
    this.showing = true;
    const text = this.column.typed[this.name] ?? "";
    setText(this.view, text);
    this.showing = false;
    this.showState(text);
    if (text) this.element.open = true;
  }

  onInput() {
    if (!this.showing) this.write();
  }

  writeBack() {
    const text = this.view.state.doc.toString();
    this.context.store.change(ME, [this.name], () => {
      this.column.typed[this.name] = text;
    });
    const wrong = syntaxError(text);
    if (wrong) this.showProblems([wrong]);
    this.showState(text);
  }

  showState(text) {
    this.state.textContent = stateOf(this.name, text);
  }

  showProblems(errors) {
    showErrors(this.view, errors);
    this.problem.textContent = errors.map((error) => wordsOf(error, this.name)).join(" ");
    this.problem.hidden = errors.length === 0;
    this.element.classList.toggle("wb-wrong", errors.length > 0);
    if (errors.length) this.element.open = true;
  }

  showCheck(result, columnId) {
    if (columnId !== this.column.id) return;
    const wrong = syntaxError(this.view.state.doc.toString());
    this.showProblems(wrong ? [wrong] : result.errors.filter((error) => isAt(error.place, this.name)));
  }

  tidy() {
    try {
      setText(this.view, JSON.stringify(JSON.parse(this.view.state.doc.toString()), null, 2));
    } catch {
      this.view.focus();
    }
  }
}

function wordsOf(error, name) {
  const inside =
    error.place && error.place !== name ? `${error.place.slice(name.length).replace(/^\./, "")}: ` : "";
  return `${error.line ? `Line ${error.line}: ` : inside}${error.message}`;
}

function stateOf(name, text) {
  if (!text.trim()) return "none";
  if (name !== "tools") return "set";
  try {
    return String(JSON.parse(text).length);
  } catch {
    return "not valid";
  }
}

/** Where the text stops being JSON, by the browser's own parser; null when it is JSON, or empty. */
export function syntaxError(text) {
  if (!text.trim()) return null;
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    const position = /position (\d+)/.exec(error.message)?.[1];
    const before = text.slice(0, position === undefined ? text.length : Number(position));
    const lines = before.split("\n");
    const message = `This is not JSON: ${error.message.replace(/ in JSON at position.*| \(line.*/s, "")}.`;
    return { message, line: lines.length, column: lines.at(-1).length + 1 };
  }
}

export function mountJsonParts(context) {
  const parts = PARTS.map(([name, title, words]) => new JsonPart(context, name, title, words));
  context.root.querySelector("#wb-parts").append(...parts.map((part) => part.element));
  parts.forEach((part) => part.show());
  const names = PARTS.map(([name]) => name);
  const undo = [
    context.store.on(
      [...names, "columns", "selected"],
      ({ by }) => by !== ME && parts.forEach((part) => part.show()),
    ),
    context.checks.on((result, columnId) => parts.forEach((part) => part.showCheck(result, columnId))),
    () => parts.forEach((part) => part.view.destroy()),
  ];
  return () => undo.forEach((step) => step());
}
