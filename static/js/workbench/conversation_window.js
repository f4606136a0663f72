// How full the context window is, and what happens when it is full.
import { count, debounced, el } from "./dom.js";

const WARN_AT = 0.8;
const POLICIES = [
  ["refuse", "Refuse, and say so"],
  ["drop_oldest", "Leave out the oldest turns"],
  ["keep_last", "Keep system and the last…"],
  ["summarise", "Summarise the older turns"],
];

/** About how many tokens a text takes, where the model counts `scale` for one of ours; as the server estimates. */
export function estimated(text, scale = 1) {
  if (!text) return 0;
  const latin = [...text].filter((character) => character < "\u0250").length;
  return Math.ceil((latin / 4 + ([...text].length - latin) + 4) * scale);
}

export class WindowPanel {
  /** @param {{change: (settings: object) => void}} acts */
  constructor(context, acts) {
    this.context = context;
    this.acts = acts;
    this.meter = el("progress", {
      class: "wb-window-meter",
      max: "100",
      value: "0",
      "aria-label": "Context window",
    });
    this.words = el("p", { class: "wb-window-words", id: "wb-window-words" });
    this.warning = el("p", { class: "wb-warning", role: "status", hidden: true });
    this.policy = el("select", { class: "form-select form-select-sm", id: "wb-policy" });
    this.policy.append(...POLICIES.map(([value, text]) => el("option", { value, text })));
    this.keepLast = this.number("wb-keep-last", "1", "1000");
    this.window = this.number("wb-window", "1", "100000000");
    this.model = el("select", { class: "form-select form-select-sm", id: "wb-summary-model" });
    this.model.append(
      el("option", { value: "", text: "The prompt's own model" }),
      ...context.boot.models.map(({ name }) => el("option", { value: name, text: name })),
    );
    const field = (label, input) =>
      el(
        "div",
        { class: "wb-small-field" },
        el("label", { class: "form-label", for: input.id, text: label }),
        input,
      );
    this.keepField = field("Questions that are kept", this.keepLast);
    this.modelField = field("Model that summarises", this.model);
    this.element = el(
      "div",
      { class: "wb-window" },
      el("div", { class: "wb-window-figures" }, this.meter, this.words, this.warning),
      el(
        "div",
        { class: "wb-window-settings" },
        field("When the window is full", this.policy),
        this.keepField,
        this.modelField,
        field("Window, in tokens", this.window),
      ),
    );
    const change = debounced(() => this.changed(), 300);
    for (const input of [this.policy, this.keepLast, this.model, this.window])
      input.addEventListener("change", () => {
        this.chosen = (this.chosen ?? 0) + 1;
        this.showFields();
        change();
      });
    this.flush = () => change.flush();
    this.showFields();
  }

  number(id, min, max) {
    return el("input", { class: "form-control form-control-sm", type: "number", id, min, max });
  }

  showFields() {
    this.keepField.hidden = this.policy.value !== "keep_last";
    this.modelField.hidden = this.policy.value !== "summarise";
  }

  settings() {
    const whole = (input) => (input.value.trim() === "" ? null : Number(input.value));
    return {
      policy: this.policy.value,
      window: whole(this.window),
      summary_model: this.model.value,
      ...(whole(this.keepLast) ? { keep_last: whole(this.keepLast) } : {}),
    };
  }

  async changed() {
    const { chosen } = this;
    await this.acts.change(this.settings());
    if (chosen === this.chosen) this.chosen = 0;
  }

  /** As the conversation has it. */
  show(conversation) {
    this.usage = conversation.usage;
    if (this.chosen) return; // what was just chosen is on its way, and an older state must not undo it
    const active = document.activeElement;
    if (active !== this.policy) this.policy.value = conversation.policy;
    if (active !== this.keepLast) this.keepLast.value = String(conversation.keep_last);
    if (active !== this.window) this.window.value = conversation.window ?? "";
    if (active !== this.model) this.model.value = conversation.summary_model;
    this.showFields();
  }

  modelWindow() {
    const name = this.context.store.selected.typed.model;
    return this.context.boot.models.find((model) => model.name === name)?.context_window ?? null;
  }

  /** With what is being typed: exact as far as the provider counted, marked ≈ beyond. */
  showFill(typed) {
    const { reported = null, estimated: since = 0, scale = 1 } = this.usage ?? {};
    const window = Number(this.window.value) || this.modelWindow();
    this.window.placeholder = this.modelWindow() ? String(this.modelWindow()) : "not known";
    const rendered = reported === null ? this.renderedTokens() : reported;
    const extra = since + estimated(typed, scale);
    const used = rendered + extra;
    const mark = reported === null || extra ? "≈ " : "";
    const told =
      reported === null
        ? ""
        : ` (${count(reported)} counted by the provider${extra ? `, ≈ ${count(extra)} since` : ""})`;
    this.meter.hidden = !window;
    if (window) this.meter.value = Math.min(100, (100 * used) / window);
    this.meter.classList.toggle("wb-window-full", Boolean(window) && used >= WARN_AT * window);
    this.words.textContent = window
      ? `${mark}${count(used)} of ${count(window)} tokens${told}`
      : `${mark}${count(used)} tokens${told}. The model's window is not known: type it to have it watched.`;
    const share = window ? used / window : 0;
    this.warning.hidden = share < WARN_AT;
    this.warning.textContent =
      share >= 1
        ? `The window is full. ${this.consequence()}`
        : `The window is ${Math.round(100 * share)} % full. ${this.consequence()}`;
  }

  consequence() {
    return {
      refuse: "Once it is full, a turn is refused before it is sent.",
      drop_oldest: "Once it is full, the oldest turns are left out.",
      keep_last: "Once it is full, only system messages and the last questions are sent.",
      summarise: "Once it is full, a model summarises the older turns.",
    }[this.policy.value];
  }

  renderedTokens() {
    const check = this.context.checks.result(this.context.store.selected.id);
    return (check?.rendered ?? []).reduce((sum, { content }) => sum + estimated(content ?? ""), 0);
  }
}
