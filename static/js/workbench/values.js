// The variables as a form: one field for each that the prompt uses, and quietly those that it does not use now.
import { debounced, el, iconButton } from "./dom.js";

const ME = "values";

class Values {
  constructor(context) {
    this.context = context;
    this.place = context.root.querySelector("#wb-fields");
    this.fields = new Map();
    this.write = debounced(() => this.writeBack(), 250);
    context.pending.add(this.write);
    this.undo = [
      context.checks.on(() => this.draw()),
      context.store.on(["values", "columns"], ({ by }) => by !== ME && this.draw(true)),
    ];
    this.draw(true);
  }

  get values() {
    return this.context.store.document.values;
  }

  /** Fields of variables that are still there stay, with caret and all; `fresh` takes their texts anew. */
  draw(fresh = false) {
    if (!fresh) this.write.flush();
    const variables = this.context.checks.variables();
    const kept = new Map();
    for (const variable of variables) {
      const field = this.fields.get(variable.name) ?? this.newField(variable.name);
      this.describe(field, variable);
      if (fresh && field.input.value !== (this.values[variable.name] ?? "")) {
        field.input.value = this.values[variable.name] ?? "";
      }
      kept.set(variable.name, field);
    }
    const order = [...kept.values()].map((field) => field.element);
    const same = order.length === this.fields.size && [...this.fields.keys()].every((name) => kept.has(name));
    this.fields = kept;
    if (!same || fresh || !this.place.childElementCount)
      this.place.replaceChildren(...order, this.note(variables));
    else this.place.lastElementChild.replaceWith(this.note(variables));
  }

  newField(name) {
    const id = `wb-value-${name}`;
    const input = el("textarea", {
      class: "form-control form-control-sm wb-value",
      id,
      rows: "1",
      "data-variable": name,
      "aria-describedby": `${id}-hint`,
      on: { input: () => this.write() },
    });
    input.value = this.values[name] ?? "";
    input.disabled = !this.context.boot.may_edit;
    const hint = el("span", { class: "form-hint", id: `${id}-hint` });
    const element = el(
      "div",
      { class: "wb-small-field" },
      el("label", { for: id, class: "wb-variable", text: name }),
      input,
      hint,
    );
    return { input, hint, element };
  }

  describe(field, variable) {
    const parts = [];
    if (variable.is_messages) parts.push("A JSON list of messages, for a placeholder.");
    if (variable.optional) parts.push("May stay empty.");
    if (variable.from_include) parts.push(`Asked for by the included prompt ${variable.from_include}.`);
    field.hint.textContent = parts.join(" ");
    field.hint.hidden = parts.length === 0;
  }

  /** Says that there are none, or which values are kept though the prompt does not use them now. */
  note(variables) {
    const used = new Set(variables.map((variable) => variable.name));
    const unused = Object.entries(this.values).filter(([name, text]) => text && !used.has(name));
    if (unused.length) return this.unusedNote(unused.map(([name]) => name));
    const empty = variables.length
      ? ""
      : "The prompt has no variables. Write {{ name }} in a message to make one.";
    return el("p", { class: "form-hint", text: empty, hidden: !empty });
  }

  unusedNote(names) {
    const rows = names.map((name) =>
      el(
        "li",
        {},
        el("span", { class: "wb-variable", text: name }),
        el("span", { class: "wb-unused-text", text: this.values[name].slice(0, 80) }),
        iconButton("x", `Forget the value of ${name}`, () => this.forget(name)),
      ),
    );
    const title = `${names.length === 1 ? "One value is" : `${names.length} values are`} kept that the prompt does not use now`;
    return el("details", { class: "wb-unused" }, el("summary", { text: title }), el("ul", {}, ...rows));
  }

  forget(name) {
    this.write.flush();
    this.context.store.change(ME, ["values"], ({ values }) => delete values[name]);
    this.draw();
  }

  writeBack() {
    const changed = [...this.fields].filter(([name, { input }]) => input.value !== (this.values[name] ?? ""));
    if (!changed.length) return;
    this.context.store.change(ME, ["values"], ({ values }) => {
      for (const [name, { input }] of changed) values[name] = input.value;
    });
  }
}

export function mountValues(context) {
  const values = new Values(context);
  return () => values.undo.forEach((step) => step());
}
