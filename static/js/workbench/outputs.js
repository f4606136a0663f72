// All columns' outputs side by side: who hears which event, and what differs between them.
import { announce, debounced, el } from "./dom.js";
import { placeParts } from "./layout.js";
import { markedText } from "./marks.js";
import { OutputPanel } from "./output_panel.js";

const TITLES = [
  "columns",
  "selected",
  "titles",
  "messages",
  "parameters",
  "model",
  "tools",
  "response_schema",
];

class Outputs {
  constructor(context) {
    this.context = context;
    this.panels = new Map();
    this.marking = true;
    this.grid = el("div", { class: "wb-output-grid" });
    this.place = context.root.querySelector("#wb-outputs");
    this.place.append(this.drawBar(), this.grid);
    this.mark = debounced(() => this.drawMarks(), 50);
    this.titles = debounced(() => this.drawTitles(), 150);
    context.outputs = this;
    this.undo = [
      context.store.on(["columns"], () => this.draw()),
      context.store.on(TITLES, () => this.titles()),
      ...this.follow(),
    ];
    this.draw();
  }

  drawBar() {
    this.toggle = el("input", {
      class: "form-check-input",
      type: "checkbox",
      on: { change: () => this.setMarking() },
    });
    this.toggle.checked = true;
    this.note = el("span", { class: "form-hint" });
    const label = el(
      "label",
      { class: "form-check form-switch" },
      this.toggle,
      el("span", { class: "form-check-label", text: "Mark what differs from the first column" }),
    );
    this.bar = el("div", { class: "wb-output-bar", hidden: true }, label, this.note);
    return this.bar;
  }

  setMarking() {
    this.marking = this.toggle.checked;
    this.mark();
  }

  /** Panels of columns that are still there keep their answers; they move as the columns do. */
  draw() {
    const { columns } = this.context.store;
    const kept = new Map();
    for (const { id } of columns) kept.set(id, this.panels.get(id) ?? this.newPanel(id));
    this.panels = kept;
    const elements = [...kept.values()].map((panel) => panel.element);
    if (
      elements.some((element, index) => this.grid.children[index] !== element) ||
      this.grid.childElementCount !== elements.length
    ) {
      const focused = document.activeElement;
      this.grid.replaceChildren(...elements);
      if (this.grid.contains(focused)) focused.focus();
    }
    this.bar.hidden = columns.length < 2;
    placeParts(this.context);
    this.drawTitles();
    this.mark();
  }

  newPanel(id) {
    return new OutputPanel(this.context, id, {
      continueWith: (columnId, messages) => this.continueWith(columnId, messages),
      viewChanged: () => this.mark(),
    });
  }

  drawTitles() {
    const panels = [...this.panels.values()].filter((panel) => panel.column);
    panels.forEach((panel, index) => panel.place(index, panels.length));
  }

  follow() {
    const { stream } = this.context;
    if (!stream) return [];
    const of = (act) => (event) => {
      const panel = event.purpose === "run" && this.panels.get(event.column);
      if (panel) act(panel, event);
    };
    const begin = of((panel, event) => {
      if (panel.call?.id !== event.call) panel.begin({ ...event, id: event.call });
    });
    const running = of((panel, event) => {
      begin(event);
      panel.showState("running");
    });
    const text = of((panel, event) => {
      begin(event);
      panel.append(event);
    });
    const end = of((panel, event) => this.end(panel, event));
    return [
      stream.on("asked", begin),
      stream.on("started", running),
      stream.on(
        "waiting",
        of((panel, event) => panel.call?.id === event.call && panel.showState("waiting")),
      ),
      stream.on("text", text),
      ...["done", "failed", "cancelled"].map((type) => stream.on(type, end)),
      stream.on("resumed", ({ calls }) => calls.forEach((call) => this.resume(call))),
    ];
  }

  resume(call) {
    const panel = this.panels.get(call.column);
    if (!panel) return;
    if (["pending", "running"].includes(call.status)) panel.begin(call);
    else panel.end(call);
    this.mark();
  }

  end(panel, event) {
    if (panel.call && !panel.ended && panel.call.id !== event.call) return;
    panel.end({ ...event, id: event.call });
    const name = this.context.columns.title(panel.column);
    const words =
      { completed: "is done", failed: "failed", cancelled: "was stopped" }[event.status] ?? "ended";
    announce(this.context, `${name} ${words}.`);
    this.mark();
  }

  /** Only when all are done, and against the first column's answer. */
  drawMarks() {
    const [first, ...others] = this.panels.values();
    [first, ...others].forEach((panel) => panel.body.unmark());
    this.note.textContent = "";
    const texts = others.filter((panel) => panel.ended && panel.call.output);
    const all = [first, ...others].every((panel) => !panel.call || panel.ended);
    if (!this.marking || !all || !first.call?.output) return;
    for (const panel of texts) {
      if (panel.body.view !== "text") continue;
      const marked = markedText(panel.call.output, first.call.output);
      if (marked) panel.body.showMarked(marked);
      else this.note.textContent = "The answers are too long, or differ too much, to mark.";
    }
  }

  /** The tools' answers go into the column as messages, and it runs again. */
  continueWith(columnId, messages) {
    const { columns, store } = this.context;
    const { length } = store.column(columnId).typed.messages;
    columns.change(() => store.column(columnId).typed.messages.push(...messages));
    this.context.offerUndo("The tools' answers stand in the messages now.", () =>
      columns.change(() => store.column(columnId).typed.messages.splice(length, messages.length)),
    );
    this.context.run([columnId]);
  }
}

export function mountOutputs(context) {
  if (!context.boot.may_edit) return undefined;
  const outputs = new Outputs(context);
  return () => outputs.undo.forEach((step) => step());
}
