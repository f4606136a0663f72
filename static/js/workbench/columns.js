// Columns as documents: what each is called, and every way to add, move and remove one. Drawn elsewhere.
import { ApiError } from "./api.js";
import { announce } from "./dom.js";
import { notify } from "../notices.js";
import { MAX_COLUMNS } from "./store.js";

const ME = "columns";
const PARTS = [
  "model",
  "temperature",
  "top_p",
  "max_tokens",
  "seed",
  "stop",
  "extra",
  "tools",
  "response_schema",
];
const MESSAGE_PARTS = ["role", "content", "name", "tool_call_id", "tool_calls"];

/** True when two columns' texts are the same to the letter; an absent part is an empty one. */
export function sameTyped(one, other) {
  const same = (a, b, parts) => parts.every((part) => (a[part] ?? "") === (b[part] ?? ""));
  return (
    one.messages.length === other.messages.length &&
    same(one, other, PARTS) &&
    one.messages.every((message, index) => same(message, other.messages[index], MESSAGE_PARTS))
  );
}

export class Columns {
  constructor(context) {
    this.context = context;
    this.bases = new Map(
      Object.entries(context.boot.bases ?? {}).map(([number, typed]) => [Number(number), typed]),
    );
    this.asked = new Set();
  }

  get store() {
    return this.context.store;
  }

  get full() {
    return this.store.columns.length >= MAX_COLUMNS;
  }

  isChanged(column) {
    if (column.base === null) return true;
    const base = this.bases.get(column.base);
    if (!base) this.fetchBase(column.base);
    return base ? !sameTyped(base, column.typed) : false;
  }

  /** "Draft", "Version 3" or "Version 3, changed". */
  title(column) {
    if (!this.isChanged(column)) return `Version ${column.base}`;
    if (column === this.store.draft || column.base === null) return "Draft";
    return `Version ${column.base}, changed`;
  }

  /** The same, and which of them is the draft. */
  label(column) {
    const title = this.title(column);
    return column === this.store.draft && title !== "Draft" ? `Draft: ${title}` : title;
  }

  /** What a version says, asked for once. */
  async fetchBase(number) {
    if (this.asked.has(number)) return;
    this.asked.add(number);
    try {
      await this.versionTyped(number);
      this.store.change(ME, ["titles"], () => {});
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  async versionTyped(number) {
    if (!this.bases.has(number)) {
      const { typed } = await this.context.api.get("version_typed", { parts: { number } });
      this.bases.set(number, typed);
    }
    return this.bases.get(number);
  }

  newId() {
    return `c${Date.now().toString(36)}${Math.floor(Math.random() * 1296).toString(36)}`;
  }

  /** Change the columns, and say so to everyone, this page's own parts too. */
  change(mutate) {
    this.context.flush();
    this.store.change(
      ME,
      ["columns", "selected", "messages", "parameters", "tools", "response_schema"],
      mutate,
    );
  }

  select(id) {
    this.context.flush();
    this.store.change(ME, ["selected"], (document) => {
      document.selected = id;
    });
    announce(this.context, `The editor shows ${this.title(this.store.selected)}.`);
  }

  insert(place, { base, typed }, words) {
    if (this.full) return null;
    const column = { id: this.newId(), base, typed: structuredClone(typed) };
    this.change(({ columns }) => columns.splice(place, 0, column));
    announce(this.context, words);
    return column;
  }

  /** A copy of the column, to its right. */
  duplicate(id) {
    this.context.flush();
    const column = this.store.column(id);
    return this.insert(
      this.store.columns.indexOf(column) + 1,
      column,
      `${this.title(column)} is duplicated.`,
    );
  }

  async addVersion(number) {
    try {
      const typed = await this.versionTyped(number);
      return this.insert(this.store.columns.length, { base: number, typed }, `Version ${number} is added.`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      notify({ level: "danger", title: "The version is not added", detail: error.message });
      return null;
    }
  }

  remove(id) {
    const column = this.store.column(id);
    const index = this.store.columns.indexOf(column);
    if (this.store.columns.length < 2) return;
    const title = this.title(column);
    this.change((document) => {
      document.columns.splice(index, 1);
      if (document.selected === id) document.selected = document.columns[Math.max(0, index - 1)].id;
    });
    this.context.offerUndo(`${title} is removed from the columns.`, () =>
      this.change(({ columns }) => columns.length < MAX_COLUMNS && columns.splice(index, 0, column)),
    );
  }

  /** Change places with the neighbour `step` away. Whatever stands first is the draft. */
  swap(id, step) {
    const index = this.store.columns.findIndex((column) => column.id === id);
    const other = index + step;
    if (other < 0 || other >= this.store.columns.length) return;
    this.change(({ columns }) => {
      [columns[index], columns[other]] = [columns[other], columns[index]];
    });
    announce(this.context, `Moved to place ${other + 1} of ${this.store.columns.length}.`);
  }

  /** Copy the column's text into the draft, the one that is saved. */
  promote(id) {
    this.context.flush();
    const { draft } = this.store;
    const column = this.store.column(id);
    if (column === draft) return;
    const before = draft.typed;
    const put = (typed) =>
      this.change((document) => {
        document.columns.find((one) => one.id === draft.id).typed = typed;
        document.selected = draft.id;
      });
    put(structuredClone(column.typed));
    this.context.offerUndo(`The draft is now what ${this.title(column)} says.`, () => put(before));
  }

  setModel(id, model) {
    this.context.flush();
    this.store.change(ME, ["model", "parameters"], () => {
      this.store.column(id).typed.model = model;
    });
    this.context.checks.mark(id);
  }
}
