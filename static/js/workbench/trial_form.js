// What is tried: a dataset, how many rows of it, and who scores the answers.
import { count, el } from "./dom.js";

export class TrialForm {
  /** @param {{changed: () => void, start: (sure: boolean) => void}} acts */
  constructor(context, acts) {
    this.acts = acts;
    this.dataset = el("select", { class: "form-select form-select-sm", id: "wb-trial-dataset" });
    this.limit = el("input", {
      class: "form-control form-control-sm",
      id: "wb-trial-limit",
      type: "number",
      min: "1",
      max: "50",
      value: "5",
    });
    this.search = el("input", {
      class: "form-control form-control-sm",
      id: "wb-trial-search",
      type: "text",
      maxlength: "200",
      placeholder: "all rows",
    });
    this.evaluators = el(
      "fieldset",
      { class: "wb-trial-evaluators" },
      el("legend", { class: "form-label", text: "Evaluators" }),
    );
    this.button = el("button", {
      type: "submit",
      class: "btn btn-sm btn-primary",
      text: "Try",
      disabled: true,
    });
    this.note = el("p", { class: "form-hint wb-trial-plan", role: "status" });
    this.sure = el("div", { class: "wb-trial-sure", hidden: true });
    const field = (label, input) =>
      el(
        "div",
        { class: "wb-small-field" },
        el("label", { class: "form-label", for: input.id, text: label }),
        input,
      );
    this.element = el(
      "form",
      { class: "wb-trial-form", "aria-label": "Try on rows", novalidate: true },
      field("Dataset", this.dataset),
      field("First rows", this.limit),
      field("With the words", this.search),
      this.evaluators,
      el("div", { class: "wb-trial-go" }, this.button, this.note),
      this.sure,
    );
    this.element.addEventListener("input", () => acts.changed());
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.sure.hidden = true;
      acts.start(false);
    });
  }

  /** What the project has, and what was chosen last. */
  offer({ datasets, evaluators, most_rows: most }, kept) {
    this.limit.max = String(most);
    this.button.disabled = datasets.length === 0;
    this.dataset.replaceChildren(
      ...datasets.map(({ slug, name, version, examples }) =>
        el("option", { value: slug, text: `${name}, version ${version} (${count(examples)})` }),
      ),
    );
    if (!datasets.length) {
      this.dataset.append(el("option", { value: "", text: "No dataset has examples yet" }));
    }
    if (datasets.some(({ slug }) => slug === kept.dataset)) this.dataset.value = kept.dataset;
    if (kept.limit) this.limit.value = String(kept.limit);
    this.search.value = kept.q ?? "";
    this.boxes = evaluators.filter(({ why_not: whyNot }) => !whyNot).map((each) => this.box(each, kept));
    const cannot = evaluators.filter(({ why_not: whyNot }) => whyNot);
    this.evaluators.append(...this.boxes.map(({ element }) => element));
    if (!evaluators.length)
      this.evaluators.append(
        el("p", {
          class: "form-hint",
          text: "The project has no evaluators yet: answers are shown without scores.",
        }),
      );
    if (cannot.length)
      this.evaluators.append(
        el(
          "details",
          { class: "wb-trial-cannot" },
          el("summary", { text: `${count(cannot.length)} cannot score single rows` }),
          el("ul", {}, ...cannot.map(({ name, why_not: why }) => el("li", { text: `${name}: ${why}` }))),
        ),
      );
  }

  box({ slug, name, asks_model: asks }, kept) {
    const input = el("input", { class: "form-check-input", type: "checkbox", value: slug });
    input.checked = (kept.evaluators ?? []).includes(slug);
    const words = asks ? `${name} (asks a model)` : name;
    const label = el("span", { class: "form-check-label", text: words });
    return { input, element: el("label", { class: "form-check" }, input, label) };
  }

  chosen() {
    return {
      dataset: this.dataset.value,
      limit: this.limit.value.trim() === "" ? null : Number(this.limit.value),
      q: this.search.value.trim(),
      evaluators: (this.boxes ?? []).filter(({ input }) => input.checked).map(({ input }) => input.value),
    };
  }

  say(sentence) {
    this.note.textContent = sentence;
  }

  askSure(sentence) {
    const go = el("button", { type: "button", class: "btn btn-sm", text: "Start it anyway" });
    go.addEventListener("click", () => {
      this.sure.hidden = true;
      this.acts.start(true);
    });
    this.sure.replaceChildren(el("p", { class: "wb-warning", text: sentence }), go);
    this.sure.hidden = false;
    go.focus();
  }

  busy(on) {
    this.button.disabled = on;
  }
}
