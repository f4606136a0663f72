// Filling the variables: from a dataset's examples, one key a time, or from values that were used before.
import { ApiError } from "./api.js";
import { announce, count, el } from "./dom.js";
import { notify } from "../notices.js";

const ME = "fill";

/** What the project offers to fill from and to try on; asked for once a page. */
export function loadChoices(context) {
  context.choices ??= context.api.get("trial_choices").catch((error) => {
    context.choices = undefined;
    throw error;
  });
  return context.choices;
}

/** The values that `texts` has for the prompt's variables go into the form; `offer` says where they are from. */
export function fillValues(context, { values, missing = [] }, offer) {
  context.flush();
  const { store } = context;
  const before = { ...store.document.values };
  store.change(ME, ["values"], (document) => Object.assign(document.values, values));
  const lacking = missing.length ? ` It has no value for ${missing.join(", ")}.` : "";
  announce(context, `${offer}.${lacking}`);
  return {
    lacking,
    undo: () => store.change(ME, ["values"], (document) => (document.values = before)),
  };
}

/** A key that somebody gave; one that was made of the inputs says nothing. */
const keyWords = (key) => (/^[0-9a-f]{24}$/.test(key) ? "" : `: ${key}`);

class Fill {
  constructor(context, place) {
    this.context = context;
    this.select = el("select", {
      class: "form-select form-select-sm wb-fill-dataset",
      "aria-label": "Dataset to fill from",
      on: { change: () => this.choose() },
    });
    this.select.append(el("option", { value: "", text: "Fill from…" }));
    const step = (text, key, label, by) =>
      el("button", {
        type: "button",
        class: "btn btn-sm wb-fill-step",
        text,
        title: `${label} (${key})`,
        "aria-label": label,
        "data-key": key,
        "data-key-label": label,
        on: { click: () => this.step(by) },
      });
    this.past = el("select", {
      class: "form-select form-select-sm wb-fill-past",
      "aria-label": "Values that were used before",
      on: { change: () => this.takePast(), focus: () => this.loadPast(), pointerdown: () => this.loadPast() },
    });
    this.past.append(el("option", { value: "", text: "Used before…" }));
    this.note = el("p", { class: "wb-fill-note form-hint", hidden: true });
    place.replaceChildren(
      this.select,
      step("‹", "N", "Values of the previous example", -1),
      step("›", "n", "Values of the next example", 1),
      this.past,
      this.note,
    );
    this.ready = this.load();
  }

  get kept() {
    return this.context.store.document.fill ?? {};
  }

  get names() {
    return this.context.checks.variables().map((variable) => variable.name);
  }

  async load() {
    try {
      const { datasets } = await loadChoices(this.context);
      for (const { slug, name, examples } of datasets)
        this.select.append(el("option", { value: slug, text: `${name} (${count(examples)})` }));
      this.select.value = datasets.some(({ slug }) => slug === this.kept.dataset) ? this.kept.dataset : "";
    } catch (error) {
      this.refuse(error);
    }
  }

  choose() {
    if (this.select.value) this.fetch(this.select.value, 0);
  }

  /** Without a dataset, the first that there is. */
  async step(by) {
    await this.ready;
    if (!this.select.value && this.select.options.length > 1) this.select.selectedIndex = 1;
    const dataset = this.select.value;
    if (!dataset) {
      this.say("There is no dataset with examples yet.");
      return;
    }
    // What was asked for last, answered or not: keys may come quicker than answers.
    const last = this.wanted ?? this.kept;
    const { position } = last.dataset === dataset ? last : {};
    this.fetch(dataset, position === undefined ? (by > 0 ? 0 : -1) : position + by);
  }

  async fetch(dataset, position) {
    this.wanted = { dataset, position };
    const query = new URLSearchParams({ dataset, position: String(position) });
    for (const name of this.names) query.append("names", name);
    this.controller?.abort();
    this.controller = new AbortController();
    try {
      const found = await this.context.api.get("values", { query, signal: this.controller.signal });
      this.context.store.change(ME, ["fill"], (document) => {
        document.fill = { dataset, position: found.position };
      });
      this.wanted = null;
      const offer = `Example ${count(found.position + 1)} of ${count(found.count)}${keyWords(found.key)}`;
      const { lacking } = fillValues(this.context, found, offer);
      this.say(`${offer}.${lacking}`);
    } catch (error) {
      this.refuse(error);
    }
  }

  async loadPast() {
    if (this.loaded) return;
    this.loaded = true;
    try {
      const query = new URLSearchParams(this.names.map((name) => ["names", name]));
      const { calls, spans } = await this.context.api.get("values_past", { query });
      this.found = [...calls, ...spans];
      const group = (label, rows, from) =>
        el(
          "optgroup",
          { label },
          ...rows.map((row, index) => el("option", { value: String(from + index), text: row.label })),
        );
      this.past.replaceChildren(
        el("option", { value: "", text: this.found.length ? "Used before…" : "Nothing was used yet" }),
        ...(calls.length ? [group("Runs of this prompt", calls, 0)] : []),
        ...(spans.length ? [group("Spans of the project", spans, calls.length)] : []),
      );
    } catch (error) {
      this.loaded = false;
      this.refuse(error);
    }
  }

  takePast() {
    const row = this.found?.[Number(this.past.value)];
    if (!row || this.past.value === "") return;
    const { lacking, undo } = fillValues(this.context, row, "Values that were used before");
    this.context.offerUndo?.("The variables have the values that were used before.", undo);
    this.say(`${row.label}.${lacking}`);
    this.past.value = "";
    this.loaded = false; // the next look shows the newest
  }

  say(sentence) {
    this.note.textContent = sentence;
    this.note.hidden = false;
  }

  refuse(error) {
    if (error.name === "AbortError") return;
    this.wanted = null;
    if (!(error instanceof ApiError)) throw error;
    notify({ level: "danger", title: "The values could not be had", detail: error.message });
  }
}

export function mountFill(context) {
  const place = context.root.querySelector("#wb-values");
  if (place && context.boot.urls.values) new Fill(context, place);
}
