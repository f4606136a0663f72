// Model and parameters of the selected column, with their ranges, and what is known of the model.
import { codeEditor, setText, showErrors } from "./code_editor.js";
import { count, debounced, el } from "./dom.js";

const ME = "parameters";
/** name, label, how it is hinted, explanation */
const FIELDS = [
  ["temperature", "Temperature", "0 to 2", "0 takes the likeliest word each time."],
  ["top_p", "Top p", "0 to 1", "Draws among the likeliest words only."],
  ["max_tokens", "Max tokens", "1 or more", "The answer ends here."],
  ["seed", "Seed", "a whole number", "The same again, if the provider can."],
];

const UNKNOWN =
  "The project does not list this model: it or its provider is archived or deleted, or was not asked for yet.";

class Parameters {
  constructor(context, place) {
    this.context = context;
    this.inputs = {};
    this.errors = {};
    this.write = debounced(() => this.writeBack(), 200);
    context.pending.add(this.write);
    place.append(this.draw());
    this.show();
    this.undo = [
      context.store.on(["parameters", "model", "columns", "selected"], ({ by }) => by !== ME && this.show()),
      context.checks.on((result, columnId) => this.showErrors(result, columnId)),
      () => this.extra.destroy(),
    ];
  }

  draw() {
    const fields = FIELDS.map(([name, label, hint, words]) => this.numberField(name, label, hint, words));
    this.hints = el("p", { class: "form-hint", id: "wb-parameter-model-hint" });
    return el(
      "section",
      { class: "wb-part", "aria-labelledby": "wb-parameters-title" },
      el("h2", { class: "wb-title", id: "wb-parameters-title", text: "Model and parameters" }),
      this.modelField(),
      this.hints,
      el("div", { class: "wb-numbers" }, ...fields),
      el("div", { class: "wb-pair" }, this.stopField(), this.extraField()),
    );
  }

  modelField() {
    const byProvider = Map.groupBy(this.context.boot.models, (model) => model.provider);
    const groups = [...byProvider].map(([provider, models]) =>
      el(
        "optgroup",
        { label: provider },
        ...models.map((model) => el("option", { value: model.name, text: model.name })),
      ),
    );
    this.model = el(
      "select",
      {
        class: "form-select form-select-sm",
        id: "wb-parameter-model",
        "aria-describedby": "wb-parameter-model-hint",
        on: { change: () => this.onInput(true) },
      },
      el("option", { value: "", text: "Choose a model" }),
      ...groups,
    );
    return this.wrapped("model", el("label", { for: "wb-parameter-model", text: "Model" }), this.model);
  }

  numberField(name, label, hint, words) {
    const id = `wb-parameter-${name}`;
    const input = el("input", {
      class: "form-control form-control-sm",
      id,
      inputmode: "decimal",
      autocomplete: "off",
      placeholder: hint,
      "aria-describedby": `${id}-hint`,
      on: { input: () => this.onInput() },
    });
    this.inputs[name] = input;
    const told = el("span", { class: "form-hint", id: `${id}-hint`, text: words });
    return this.wrapped(name, el("label", { for: id, text: label }), input, told);
  }

  stopField() {
    const area = el("textarea", {
      class: "form-control form-control-sm wb-short",
      id: "wb-parameter-stop",
      rows: "2",
      "aria-describedby": "wb-parameter-stop-hint",
      on: { input: () => this.onInput() },
    });
    this.inputs.stop = area;
    const hint = el("span", {
      class: "form-hint",
      id: "wb-parameter-stop-hint",
      text: "One a line; \\n is a line break.",
    });
    return this.wrapped("stop", el("label", { for: "wb-parameter-stop", text: "Stop texts" }), area, hint);
  }

  extraField() {
    this.extra = codeEditor({
      doc: "",
      language: "json",
      label: "Extra parameters",
      nonce: this.context.nonce,
      hint: '{"top_k": 40}',
      onChange: () => this.onInput(),
    });
    const hint = el("span", { class: "form-hint", text: "A JSON object, sent to the provider as it is." });
    return this.wrapped("extra", el("span", { class: "wb-label", text: "Extra" }), this.extra.dom, hint);
  }

  wrapped(name, ...parts) {
    this.errors[name] = el("span", { class: "wb-error", hidden: true });
    return el("div", { class: "wb-small-field" }, ...parts, this.errors[name]);
  }

  get typed() {
    return this.context.store.selected.typed;
  }

  show() {
    this.showing = true;
    const { typed } = this;
    if (![...this.model.options].some((option) => option.value === typed.model)) {
      this.model.append(el("option", { value: typed.model, text: `${typed.model} (not known here)` }));
    }
    this.model.value = typed.model;
    for (const [name, input] of Object.entries(this.inputs)) input.value = typed[name] ?? "";
    setText(this.extra, typed.extra ?? "");
    this.showing = false;
    this.showModel();
  }

  onInput(now = false) {
    if (this.showing) return;
    this.write();
    if (now) this.write.flush();
  }

  writeBack() {
    this.context.store.change(ME, ["parameters", "model"], () => {
      this.typed.model = this.model.value;
      for (const [name, input] of Object.entries(this.inputs)) this.typed[name] = input.value;
      this.typed.extra = this.extra.state.doc.toString();
    });
    this.showModel();
  }

  /** What is known of the chosen model: its window, its price, what it does not take. */
  showModel() {
    const model = this.context.boot.models.find((one) => one.name === this.model.value);
    const parts = [];
    if (model?.context_window) parts.push(`${count(model.context_window)} tokens of context`);
    if (model) parts.push(priceOf(model));
    if (model?.notes) parts.push(model.notes);
    const nothing = this.model.value ? UNKNOWN : "Without a model, nothing can be run.";
    this.hints.textContent = parts.join(" · ") || nothing;
    if (!this.context.boot.models.length) {
      const providers = el("a", { href: this.context.boot.urls.providers, text: "Connect a provider" });
      this.hints.replaceChildren(
        "This project has no model yet. ",
        providers,
        " first; its models are here then.",
      );
    }
    const [, , , words] = FIELDS[2];
    const window = model?.context_window ? ` At most ${count(model.context_window)}.` : "";
    this.inputs.max_tokens.parentElement.querySelector(".form-hint").textContent = words + window;
  }

  showErrors(result, columnId) {
    if (columnId !== this.context.store.selected.id) return;
    for (const [name, place] of Object.entries(this.errors)) {
      const found = result.errors.filter((error) => isAt(error.place, `parameters.${name}`));
      place.textContent = found.map((error) => error.message).join(" ");
      place.hidden = found.length === 0;
      const input = name === "model" ? this.model : this.inputs[name];
      input?.toggleAttribute("aria-invalid", found.length > 0);
      input?.classList.toggle("is-invalid", found.length > 0);
      if (name === "extra") showErrors(this.extra, found);
    }
  }
}

export const isAt = (place, name) =>
  place === name || Boolean(place?.startsWith(`${name}.`) || place?.startsWith(`${name}[`));

function priceOf({ kind, input_price: input, output_price: output }) {
  if (kind !== "openai") return "costs nothing";
  if (input === null || output === null) return "price unknown";
  return `$${Number(input)} per million tokens in, $${Number(output)} out`;
}

export function mountParameters(context) {
  const parameters = new Parameters(context, context.root.querySelector("#wb-parts"));
  return () => parameters.undo.forEach((step) => step());
}
