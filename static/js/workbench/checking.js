// What the server says of each column's text: its variables, its mistakes with their places, its messages rendered.
import { debounced } from "./dom.js";

const WAIT_MS = 300;
const OF_TEXT = ["messages", "parameters", "tools", "response_schema", "model"];

const NOTHING_KNOWN = {
  variables: [],
  errors: [],
  render_error: null,
  includes: [],
  rendered: null,
  tokens_estimate: null,
};

/**
 * @typedef {{variables: {name: string, optional: boolean, is_messages: boolean, used_in?: string[]}[],
 *   errors: {place: string, message: string, line?: number, column?: number,
 *   end_column?: number}[], render_error: {place: string, message: string} | null, includes: object[],
 *   rendered: {role: string, content: string}[] | null, tokens_estimate: number | null}} Check
 */
export class Checks {
  constructor(context) {
    this.context = context;
    this.results = new Map();
    this.dirty = new Set();
    this.listeners = new Set();
    this.running = new Map();
    this.later = debounced(() => this.checkDirty(), WAIT_MS);
  }

  /** Begins once the page is there; a check of every column comes first. */
  start() {
    const { store } = this.context;
    this.stops = [
      store.on(OF_TEXT, () => this.mark(store.selected.id)),
      store.on(["values"], () => this.mark(store.selected.id)),
      store.on(["columns"], () => this.mark(...store.columns.map((column) => column.id))),
      store.on(["selected"], () => this.mark(store.selected.id)),
    ];
    this.mark(...store.columns.map((column) => column.id));
    this.checkDirty();
    return () => this.stop();
  }

  stop() {
    this.stops.forEach((step) => step());
    this.later.cancel();
    this.running.forEach((controller) => controller.abort());
  }

  /** @returns {Check | undefined} the newest check of a column */
  result(columnId) {
    return this.results.get(columnId);
  }

  /** Call `listener(result, columnId)` after each check; returns what stops that. */
  on(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Every variable of all columns, once each, in their order; one that any column needs is not optional. */
  variables() {
    const found = new Map();
    for (const column of this.context.store.columns) {
      for (const variable of this.results.get(column.id)?.variables ?? []) {
        const known = found.get(variable.name);
        found.set(
          variable.name,
          known ? { ...known, optional: known.optional && variable.optional } : variable,
        );
      }
    }
    return [...found.values()];
  }

  /**
   * The server refused the column's text: what the newest check does not tell is shown at its place, too, until
   * the next check.
   * @param {Record<string, string[]>} errors sentences by place
   */
  refused(columnId, errors) {
    const known = this.results.get(columnId) ?? NOTHING_KNOWN;
    const told = new Set(known.errors.map((error) => error.place));
    const more = Object.entries(errors)
      .filter(([place]) => !told.has(place))
      .map(([place, texts]) => ({ place, message: texts.join(" ") }));
    if (!more.length) return;
    const result = { ...known, errors: [...known.errors, ...more] };
    this.results.set(columnId, result);
    this.listeners.forEach((listener) => listener(result, columnId));
  }

  mark(...columnIds) {
    columnIds.forEach((id) => this.dirty.add(id));
    this.later();
  }

  checkDirty() {
    const ids = [...this.dirty];
    this.dirty.clear();
    for (const id of ids) {
      const column = this.context.store.column(id);
      if (column) this.check(column);
      else this.results.delete(id);
    }
  }

  async check(column) {
    this.running.get(column.id)?.abort();
    const controller = new AbortController();
    this.running.set(column.id, controller);
    const { typed, base } = column;
    const body = { typed, base, values: this.context.store.document.values };
    try {
      const result = await this.context.api.post("check", body, { signal: controller.signal });
      if (controller.signal.aborted) return;
      this.results.set(column.id, result);
      this.listeners.forEach((listener) => listener(result, column.id));
    } catch (error) {
      // A check that does not come costs nothing: the next keystroke asks again, and saving checks for itself.
      if (error.name !== "AbortError" && error.status === undefined) throw error;
    }
  }
}
