// Trying the columns on the first rows of a dataset, with evaluators, without leaving the page.
import { ApiError } from "./api.js";
import { announce, debounced, el, plural } from "./dom.js";
import { fillValues, loadChoices } from "./fill.js";
import { dollars } from "./output_words.js";
import { placeWords } from "./running.js";
import { TrialForm } from "./trial_form.js";
import { hasFailed, stateWords, trialTable } from "./trial_table.js";
import { notify } from "../notices.js";

const ME = "trial";
const REFRESH_MS = 500;
/** In case an event was lost; it ends when the trial does. */
const POLL_MS = 3000;

class Trials {
  constructor(context, place) {
    this.context = context;
    this.place = `workbench-trial:${context.boot.urls.trial}`;
    // What the address asks for takes the place of an older trial that this tab remembers.
    if (context.boot.opened && !this.context.store.document.trial?.id) sessionStorage.removeItem(this.place);
    this.form = new TrialForm(context, { changed: () => this.plan(), start: (sure) => this.start(sure) });
    this.state = el("span", { class: "wb-trial-status", role: "status" });
    this.stop = el("button", { type: "button", class: "btn btn-sm", text: "Stop all", hidden: true });
    this.retry = el("button", {
      type: "button",
      class: "btn btn-sm",
      text: "Try the missing again",
      hidden: true,
    });
    this.stop.addEventListener("click", () => this.act("trial_stop", {}));
    this.retry.addEventListener("click", () => this.act("trial_retry", { page: context.page }));
    this.errors = el("div", { class: "wb-errors", hidden: true });
    this.table = el("div", { class: "wb-trial-result" });
    this.details = el(
      "details",
      { class: "wb-trial" },
      el(
        "summary",
        { "data-key": "t", "data-key-label": "Try on rows" },
        el("h2", { class: "wb-title", text: "Try on rows" }),
      ),
      this.form.element,
      this.errors,
      el("div", { class: "wb-trial-bar" }, this.state, this.stop, this.retry),
      this.table,
    );
    place.replaceChildren(this.details);
    this.refresh = debounced(() => this.fetch(), REFRESH_MS);
    this.plan = debounced(() => this.estimate(), 400);
    this.details.addEventListener("toggle", () => this.opened());
    this.undo = [...this.follow(), () => clearTimeout(this.timer)];
    this.details.open = Boolean(this.kept.open);
  }

  /** The document is kept a moment later, so a reload right now would bring an older trial back. */
  get kept() {
    const id = sessionStorage.getItem(this.place);
    return { ...this.context.store.document.trial, ...(id ? { id } : {}) };
  }

  keep(change) {
    if (change.id) sessionStorage.setItem(this.place, change.id);
    else if ("id" in change) sessionStorage.removeItem(this.place);
    this.context.store.change(ME, ["trial"], (document) => {
      document.trial = { ...document.trial, ...change };
    });
  }

  follow() {
    const { stream, store } = this.context;
    const ours = (event) => event.purpose === "trial" && this.trial && this.refresh();
    return [
      ...["trial", "started", "done", "failed", "cancelled"].map((type) => stream.on(type, ours)),
      store.on(["columns"], () => this.details.open && this.plan()),
      this.context.checks.on(() => this.details.open && this.plan()),
    ];
  }

  async opened() {
    if (this.details.open !== Boolean(this.kept.open)) this.keep({ open: this.details.open });
    if (!this.details.open || this.ready) return;
    this.ready = true;
    try {
      const choices = await loadChoices(this.context);
      this.form.offer(choices, this.kept);
      if (this.kept.id) this.fetch();
      this.plan();
    } catch (error) {
      this.ready = false;
      this.refuse(error);
    }
  }

  body() {
    this.context.flush();
    const columns = this.context.store.columns.map(({ id, base, typed }) => ({ id, base, typed }));
    return { columns, ...this.form.chosen() };
  }

  async estimate() {
    if (!this.form.chosen().dataset) return;
    const { checks, store } = this.context;
    if (store.columns.some(({ id }) => checks.result(id)?.errors?.length)) {
      this.form.say("The prompt has mistakes: mend them first.");
      return;
    }
    try {
      const plan = await this.context.api.post("trial_plan", this.body());
      if (plan.problem) {
        this.form.say(plan.problem);
        return;
      }
      const { length } = this.context.store.columns;
      const judged = plan.judge_calls ? ` and ${plural(plan.judge_calls, "call")} of judges` : "";
      const cost =
        plan.likely === null
          ? "the cost is not known"
          : `about ${dollars(plan.likely)}, at most ${dollars(plan.high)}`;
      this.form.say(
        `${plural(plan.rows, "row")} × ${plural(length, "column")} = ${plural(plan.calls, "call")}${judged}; ${cost}.`,
      );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.form.say(error.message);
    }
  }

  async start(sure = false) {
    this.showErrors([]);
    const { api, page, stream, root } = this.context;
    stream.open();
    const body = { ...this.body(), page, sure, keep: root.querySelector("#wb-keep")?.checked ?? false };
    this.form.busy(true);
    try {
      this.take(await api.post("trial", body));
      const { dataset, limit, q, evaluators } = body;
      this.keep({ id: this.trial.id, dataset, limit, q, evaluators });
      announce(this.context, `${plural(this.trial.rows.length, "row")} are tried.`);
    } catch (error) {
      if (error instanceof ApiError && error.body.code === "dear_trial") this.form.askSure(error.message);
      else this.refuse(error);
    } finally {
      this.form.busy(false);
    }
  }

  async fetch() {
    try {
      this.take(await this.context.api.get("trial_detail", { parts: { id: this.kept.id } }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) this.keep({ id: null });
      else if (!(error instanceof ApiError)) throw error;
      else this.poll();
    }
  }

  async act(name, body) {
    try {
      if (name === "trial_retry") this.context.stream.open();
      this.take(await this.context.api.post(name, body, { parts: { id: this.trial.id } }));
    } catch (error) {
      this.refuse(error);
    }
  }

  take(trial) {
    this.trial = trial;
    this.state.textContent = stateWords(trial);
    const answering = trial.rows.some((row) =>
      Object.values(row.cells).some((cell) => ["pending", "running"].includes(cell.status)),
    );
    this.stop.hidden = !answering;
    this.retry.hidden = answering || !hasFailed(trial);
    this.draw();
    if (!trial.done) {
      this.context.stream.open();
      this.poll();
    } else clearTimeout(this.timer);
  }

  poll() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), POLL_MS);
  }

  draw() {
    const scroll = this.table.firstElementChild?.scrollLeft ?? 0;
    const focus = [...this.table.querySelectorAll("button, a")].indexOf(document.activeElement);
    this.table.replaceChildren(
      trialTable(this.trial, {
        title: (column) => this.title(column),
        fill: (row) => this.fill(row),
        expand: async (cell) => (await this.context.api.get("call", { parts: { id: cell.call } })).output,
        evaluate: (column) => this.evaluate(column),
      }),
    );
    this.table.firstElementChild.scrollLeft = scroll;
    if (focus >= 0) this.table.querySelectorAll("button, a")[focus]?.focus();
  }

  title(column) {
    if (column.version) return `Version ${column.version}`;
    return column.base ? `Version ${column.base}, changed` : "Draft";
  }

  fill(row) {
    const names = new Set(this.context.checks.variables().map((variable) => variable.name));
    const values = Object.fromEntries(
      Object.entries(row.inputs).filter(([name]) => names.size === 0 || names.has(name)),
    );
    const sentence = `The variables have the values of row ${row.position + 1}`;
    const { undo } = fillValues(this.context, { values }, sentence);
    this.context.offerUndo?.(`${sentence}.`, undo);
  }

  /** A saved version goes to a full run as it is; a draft is saved first, with the same dialogue as ever. */
  evaluate(column) {
    const { boot, api, root } = this.context;
    if (!column.version) {
      const save = root.querySelector("#wbs-open");
      return el("button", {
        type: "button",
        class: "btn btn-sm wb-trial-evaluate",
        text: "Save, to run an evaluation",
        disabled: !save,
        on: { click: () => this.saveFirst(column, save) },
      });
    }
    const query = new URLSearchParams({
      prompt: boot.prompt.slug,
      version: String(column.version),
      dataset: this.trial.dataset.slug,
      dataset_version: String(this.trial.dataset.version),
    });
    for (const slug of this.trial.evaluators) query.append("evaluators", slug);
    return el("a", {
      class: "btn btn-sm wb-trial-evaluate",
      href: api.url("evaluate", {}, query),
      text: "Run evaluation",
    });
  }

  saveFirst(column, save) {
    const { store, columns } = this.context;
    const chosen = store.column(column.id);
    if (chosen && chosen !== store.draft) columns.promote?.(column.id);
    save.click();
  }

  refuse(error) {
    if (!(error instanceof ApiError)) throw error;
    const told = Object.entries(error.body.errors ?? {});
    if (!told.length)
      notify({ level: "danger", title: error.body.title ?? "It cannot be tried", detail: error.message });
    this.showErrors(
      told.map(
        ([place, texts]) => `${placeWords(place.replace(/^columns\[\d+\]\./, ""))}: ${texts.join(" ")}`,
      ),
    );
  }

  showErrors(sentences) {
    this.errors.hidden = sentences.length === 0;
    this.errors.replaceChildren(
      ...[...new Set(sentences)].map((text) => el("p", { class: "wb-error", text })),
    );
  }
}

export function mountTrials(context) {
  const place = context.root.querySelector("#wb-trials");
  if (!place || !context.stream || !context.boot.urls.trial) return undefined;
  const trials = new Trials(context, place);
  return () => trials.undo.forEach((step) => step());
}
