// The Run and Stop buttons and their keys, and what to say when the server refuses to run.
import { ApiError } from "./api.js";
import { announce, el } from "./dom.js";
import { startRun, stopColumns } from "./run.js";
import { notify } from "../notices.js";
import { placed } from "./words.js";

const PLACE = /^columns\[(\d+)\]\.(.+)$/;
const ENDS = ["done", "failed", "cancelled"];

class Running {
  constructor(context) {
    this.context = context;
    const find = (selector) => context.root.querySelector(selector);
    this.runButton = find("#wb-run");
    this.stopButton = find("#wb-stop");
    this.keep = find("#wb-keep");
    this.errors = find("#wb-errors");
    this.runButton.querySelector("[data-run-kbd]").textContent = /Mac/.test(navigator.platform)
      ? "⌘ ↵"
      : "Ctrl ↵";
    this.onEscape = (event) => this.escape(event);
    this.runButton.addEventListener("click", () => context.run());
    this.stopButton.addEventListener("click", () => this.stop());
    document.addEventListener("keydown", this.onEscape);
    context.run = (columnIds) => this.run(columnIds);
    this.undo = [
      ...["asked", "started", "resumed", ...ENDS].map((type) => context.stream.on(type, () => this.show())),
      context.store.on(["columns"], () => this.show()),
      () => document.removeEventListener("keydown", this.onEscape),
    ];
    this.runButton.disabled = false;
    this.show();
  }

  get ids() {
    return this.context.store.columns.map((column) => column.id);
  }

  get runningIds() {
    return this.ids.filter((id) => this.context.running?.has(id));
  }

  /** Later, as the list of what runs is kept by a listener of the same events. */
  show() {
    queueMicrotask(() => {
      const running = this.runningIds.length;
      const { length } = this.ids;
      this.stopButton.hidden = running === 0;
      this.runButton.querySelector("[data-run-text]").textContent =
        length > 1 ? `Run ${length} columns` : "Run";
      this.runButton.disabled = running === length;
    });
  }

  async run(columnIds = this.ids) {
    this.context.flush();
    this.showErrors([]);
    announce(this.context, columnIds.length > 1 ? `${columnIds.length} columns run.` : "It runs.");
    this.bringIntoView();
    const sent = columnIds.map((id) => this.textOf(id));
    const asked = startRun(this.context, columnIds, { keep: this.keep.checked });
    this.show();
    try {
      await asked;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.refused(error, columnIds, sent);
    }
    this.show();
  }

  /** On a phone, and below several columns' editor, the answers would come unseen. */
  bringIntoView() {
    const outputs = this.context.root.querySelector("#wb-outputs");
    if (outputs.getBoundingClientRect().top > window.innerHeight - 80)
      outputs.scrollIntoView({ block: "center" });
  }

  refused(error, columnIds, sent) {
    const told = Object.entries(error.body.errors ?? {});
    if (!told.length) {
      notify({ level: "danger", title: error.body.title ?? "It does not run", detail: error.message });
      return;
    }
    this.showErrors(told.map(([place, texts]) => this.words(place, texts, columnIds)));
    this.markAtFields(told, columnIds, sent);
    announce(this.context, `It does not run: ${told[0][1].join(" ")}`);
  }

  textOf(columnId) {
    return JSON.stringify(this.context.store.column(columnId)?.typed);
  }

  /** Of columns that are still as they were sent. */
  markAtFields(told, columnIds, sent) {
    this.context.flush();
    columnIds.forEach((id, index) => {
      if (this.textOf(id) !== sent[index]) return;
      const mine = told
        .map(([place, texts]) => [PLACE.exec(place), texts])
        .filter(([found]) => found && Number(found[1]) === index)
        .map(([found, texts]) => [found[2], texts]);
      this.context.checks.refused(id, Object.fromEntries(mine));
    });
  }

  /** "Message 2: …", with the column's name before it when there are several. */
  words(place, texts, columnIds) {
    const [, index, inside] = PLACE.exec(place) ?? [null, null, place];
    const column = index === null ? null : this.context.store.column(columnIds[Number(index)]);
    const which = column && this.ids.length > 1 ? `${this.context.columns.title(column)}, ` : "";
    return `${which}${placed(placeWords(inside), texts.join(" "))}`;
  }

  showErrors(sentences) {
    this.errors.hidden = sentences.length === 0;
    this.errors.replaceChildren(...sentences.map((text) => el("p", { class: "wb-error", text })));
    if (sentences.length) this.errors.scrollIntoView({ block: "nearest" });
  }

  async stop() {
    announce(this.context, "Stopping.");
    try {
      await stopColumns(this.context, this.runningIds);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      notify({ level: "danger", title: "It does not stop", detail: error.message });
    }
  }

  /** Escape closes what is open first: a menu, a completion, a dialogue. */
  escape(event) {
    const busy =
      event.defaultPrevented || document.querySelector("dialog[open], .dropdown-menu.show, .offcanvas.show");
    if (event.key !== "Escape" || busy || !this.runningIds.length) return;
    event.preventDefault();
    this.stop();
  }
}

/** Places of a version's content as a person reads them: "Message 2", "Parameter temperature", "Value of name". */
export function placeWords(place) {
  const message = /^messages\[(\d+)\](?:\.(.+))?$/.exec(place);
  if (message) {
    const part = !message[2] || message[2] === "content" ? "" : `, ${message[2].replaceAll("_", " ")}`;
    return `Message ${Number(message[1]) + 1}${part}`;
  }
  const [, kind, name] = /^(parameters|values)\.(.+)$/.exec(place) ?? [];
  if (name === "model") return "Model";
  if (kind) return `${kind === "values" ? "Value of" : "Parameter"} ${name.replaceAll("_", " ")}`;
  return place.charAt(0).toUpperCase() + place.slice(1).replaceAll("_", " ");
}

export function mountRunning(context) {
  if (!context.boot.may_edit || !context.stream) return undefined;
  const running = new Running(context);
  return () => running.undo.forEach((step) => step());
}
