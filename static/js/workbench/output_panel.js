// One column's output: what stands at its head, the answer, its figures, and what can be done with the column.
import { announce, count, el, iconButton } from "./dom.js";
import { errorWords, figures, finishWords, stateWords, waitingWords } from "./output_words.js";
import { OutputText } from "./output_text.js";
import { toolAnswers } from "./tool_answers.js";

const VIEWS = [
  ["text", "Text"],
  ["markdown", "Markdown"],
  ["json", "JSON"],
];
/** A call that waits longer than this says what for, in milliseconds. */
const SAY_WHAT_FOR_AFTER = 3000;
const SET = ["temperature", "top_p", "max_tokens", "seed"];
export const ENDED = new Set(["completed", "failed", "cancelled"]);

export class OutputPanel {
  /** @param {{continueWith: Function, rerun: Function}} owner */
  constructor(context, columnId, owner) {
    this.context = context;
    this.columnId = columnId;
    this.owner = owner;
    this.call = null;
    this.body = new OutputText("Output");
    this.title = el("h2", { class: "wb-title" });
    this.parameters = el("p", { class: "wb-output-set" });
    this.state = el("span", { class: "state state-neutral", hidden: true });
    this.words = el("div", { class: "wb-output-words" });
    this.tools = el("div", { class: "wb-output-tools" });
    this.figures = el("dl", { class: "wb-figures" });
    this.element = el(
      "article",
      { class: "wb-output", "data-column": columnId },
      this.drawHead(),
      this.parameters,
      this.body.element,
      this.words,
      this.tools,
      this.figures,
    );
    this.showCall(null);
  }

  get column() {
    return this.context.store.column(this.columnId);
  }

  drawHead() {
    const views = VIEWS.map(([view, label]) =>
      el("button", {
        type: "button",
        class: "wb-view",
        "data-view": view,
        text: label,
        on: { click: () => this.show(view) },
      }),
    );
    this.views = el(
      "div",
      { class: "wb-views", role: "group", "aria-label": "Show the output as" },
      ...views,
    );
    this.actions = el("div", { class: "wb-output-actions" }, ...this.drawActions());
    this.showView();
    return el("header", { class: "wb-output-head" }, this.title, this.state, this.actions, this.views);
  }

  drawActions() {
    const { columns } = this.context;
    const id = this.columnId;
    this.buttons = {
      edit: iconButton("pencil", "Edit this column", () => this.edit()),
      left: iconButton("arrow-left", "Swap with the column to the left", () => columns.swap(id, -1)),
      right: iconButton("arrow-right", "Swap with the column to the right", () => columns.swap(id, 1)),
      duplicate: iconButton("copy", "Duplicate this column", () => columns.duplicate(id)),
      promote: iconButton("arrow-big-up", "Make this the draft", () => columns.promote(id)),
      remove: iconButton("x", "Remove this column", () => columns.remove(id)),
    };
    return Object.values(this.buttons);
  }

  edit() {
    this.context.columns.select(this.columnId);
    this.context.root.querySelector("#wb-edit").scrollIntoView({ block: "start" });
    this.context.root.querySelector("#wb-messages .cm-content")?.focus();
  }

  show(view) {
    this.body.show(view);
    this.showView();
    this.owner.viewChanged();
  }

  showView() {
    for (const button of this.views.children) {
      const pressed = button.dataset.view === this.body.view;
      button.setAttribute("aria-pressed", String(pressed));
      button.classList.toggle("active", pressed);
    }
  }

  /** The head, as the column is called and placed now. */
  place(index, length) {
    const { columns, store } = this.context;
    const name = columns.label(this.column);
    this.title.textContent = length > 1 ? name : "Output";
    this.title.title = length > 1 ? name : "";
    this.element.setAttribute("aria-label", `Output of ${name}`);
    this.body.element.setAttribute("aria-label", `Answer of ${name}`);
    this.actions.hidden = length < 2;
    this.element.classList.toggle("wb-output-selected", length > 1 && store.selected.id === this.columnId);
    this.buttons.left.disabled = index === 0;
    this.buttons.right.disabled = index === length - 1;
    this.buttons.promote.disabled = index === 0;
    this.buttons.duplicate.disabled = columns.full;
    for (const [key, button] of Object.entries(this.buttons)) {
      button.setAttribute("aria-label", `${button.title}: ${name}`);
      button.dataset.act = key;
    }
    this.parameters.textContent = length > 1 ? this.parameterWords() : "";
  }

  parameterWords() {
    const { typed } = this.column;
    const set = SET.filter((name) => typed[name]).map((name) => `${name.replace("_", " ")} ${typed[name]}`);
    return [typed.model || "no model", ...set].join(" · ");
  }

  /** A call begins: what was there before goes. */
  begin(call) {
    this.heard = false;
    clearTimeout(this.waiting);
    this.waiting = null;
    this.words.replaceChildren();
    this.showCall({ status: "pending", tool_calls: [], output: "", ...call });
    this.body.clear();
  }

  append(event) {
    if (event.call !== this.call?.id) return;
    const isFirst = !this.heard;
    this.heard = true;
    if (isFirst || this.call.status !== "running") this.showState("running");
    this.body.append(event.text);
  }

  showState(status) {
    this.call.status = status;
    this.drawState();
  }

  end(call) {
    this.showCall(call);
    this.body.finish(call.output ?? "");
    const [words] = stateWords(call.status);
    this.state.textContent = words;
  }

  get ended() {
    return this.call !== null && ENDED.has(this.call.status);
  }

  showCall(call) {
    this.call = call;
    this.drawState();
    const over = this.ended;
    if (over) this.words.replaceChildren(...this.sentences(call));
    this.tools.replaceChildren();
    if (over && call.tool_calls?.length) {
      this.tools.append(toolAnswers(call, (messages) => this.owner.continueWith(this.columnId, messages)));
    }
    const rows = over ? figures(call) : [];
    this.figures.replaceChildren(
      ...rows.map(([label, value]) => el("div", {}, el("dt", { text: label }), el("dd", { text: value }))),
    );
    this.figures.hidden = rows.length === 0;
    this.element.classList.toggle("wb-output-empty", call === null);
  }

  sentences(call) {
    const said = [];
    if (call.status === "failed")
      said.push(el("p", { class: "wb-error", role: "alert", text: errorWords(call) }));
    if (call.status === "cancelled") {
      const kept = call.output ? ` ${count(call.output.length)} characters had come.` : "";
      said.push(el("p", { class: "wb-warning", text: `${call.error || "Stopped."}${kept}` }));
    }
    const finish = finishWords(call, this.column?.typed.max_tokens);
    if (finish) said.push(el("p", { class: "wb-warning", text: finish }));
    return said;
  }

  drawState() {
    const [words, look] = stateWords(this.call?.status);
    this.state.hidden = !words;
    this.state.textContent = words;
    this.state.className = `state state-${look}`;
    this.element.dataset.status = this.call?.status ?? "";
    this.watchSilence();
  }

  /** Nothing has come of a call yet: after some seconds, say what it waits for. */
  watchSilence() {
    const isSilent = this.call !== null && !this.ended && !this.heard;
    if (!isSilent) {
      clearTimeout(this.waiting);
      this.waiting = null;
      this.words.replaceChildren();
    } else if (this.words.childElementCount) this.sayWhatFor();
    else this.waiting ??= setTimeout(() => this.sayWhatFor(), SAY_WHAT_FOR_AFTER);
  }

  /** As far as the page can know. */
  sayWhatFor() {
    const model = this.context.boot.models.find(({ name }) => name === this.column?.typed.model);
    const text = waitingWords(this.call.status, model);
    this.words.replaceChildren(el("p", { class: "wb-waiting", text }));
    announce(this.context, text);
  }
}
