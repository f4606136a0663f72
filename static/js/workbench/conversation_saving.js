// A conversation becomes an example of a dataset.
import { ApiError } from "./api.js";
import { announce, el } from "./dom.js";
import { loadChoices } from "./fill.js";

const NEW = "+";

export class SaveAsExample {
  /** @param {() => {id: string, turns: object[]} | null} conversation what is saved */
  constructor(context, conversation) {
    this.context = context;
    this.conversation = conversation;
    this.dataset = el("select", { class: "form-select form-select-sm", id: "wb-example-dataset" });
    this.name = el("input", {
      class: "form-control form-control-sm",
      id: "wb-example-name",
      type: "text",
      maxlength: "120",
    });
    this.reference = el("textarea", {
      class: "form-control form-control-sm",
      id: "wb-example-reference",
      rows: "3",
    });
    const field = (label, input) =>
      el(
        "div",
        { class: "wb-small-field" },
        el("label", { class: "form-label", for: input.id, text: label }),
        input,
      );
    this.nameField = field("Name of the new dataset", this.name);
    this.told = el("p", { class: "form-hint", role: "status" });
    this.form = el(
      "form",
      { class: "wb-example-form" },
      field("Dataset", this.dataset),
      this.nameField,
      field("Reference: what the last answer should be", this.reference),
      el("div", {}, el("button", { type: "submit", class: "btn btn-sm btn-primary", text: "Save example" })),
      this.told,
    );
    this.element = el(
      "details",
      { class: "wb-example" },
      el("summary", { text: "Save as an example" }),
      this.form,
    );
    this.element.addEventListener("toggle", () => this.element.open && this.offer());
    this.dataset.addEventListener("change", () => this.showName());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
  }

  async offer() {
    const answers = (this.conversation()?.turns ?? []).filter(({ call }) => call?.status === "completed");
    this.reference.value = answers.at(-1)?.call.output ?? "";
    this.told.textContent = answers.length ? "" : "There is no answer yet that could be its reference.";
    if (this.dataset.options.length) return;
    const { datasets } = await loadChoices(this.context);
    this.dataset.append(
      ...datasets.map(({ slug, name }) => el("option", { value: slug, text: name })),
      el("option", { value: NEW, text: "New dataset…" }),
    );
    this.name.value = `Conversations with ${this.context.boot.prompt.name}`.slice(0, 120);
    this.showName();
  }

  showName() {
    this.nameField.hidden = this.dataset.value !== NEW;
  }

  async save() {
    const isNew = this.dataset.value === NEW;
    const where = isNew ? { new_dataset: this.name.value } : { dataset: this.dataset.value };
    try {
      const saved = await this.context.api.post(
        "conversation_example",
        { ...where, reference: this.reference.value },
        { parts: { id: this.conversation().id } },
      );
      const { name, slug, version } = saved.dataset;
      const words = version ? `Saved in ${name}, version ${version}. ` : `${name} has this example already. `;
      this.told.replaceChildren(words, el("a", { href: saved.url, text: "Show it" }));
      announce(this.context, words);
      if (isNew) this.dataset.prepend(el("option", { value: slug, text: name }));
      this.dataset.value = slug;
      this.showName();
      this.context.choices = undefined;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.told.textContent = error.message;
    }
  }
}
