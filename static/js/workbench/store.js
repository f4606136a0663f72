// What the page holds, in one place: whoever changes it says who they are, and everyone else hears of it.

/**
 * @typedef {{role: string, content: string, name: string, tool_call_id: string, tool_calls: string}} TypedMessage
 * @typedef {{messages: TypedMessage[], model: string, temperature: string, top_p: string, max_tokens: string,
 *   seed: string, stop: string, extra: string, tools: string, response_schema: string}} Typed all texts as typed
 * @typedef {{id: string, base: number | null, typed: Typed}} Column `base`: the version that it began from
 * @typedef {{columns: Column[], selected: string, values: Record<string, string>}} WorkbenchDocument
 *   the first column is the draft; the editor shows the selected one; `values` are the variables' texts
 */

export const MAX_COLUMNS = 4;

export class Store extends EventTarget {
  /** @param {WorkbenchDocument} document */
  constructor(document) {
    super();
    this.document = document;
  }

  get columns() {
    return this.document.columns;
  }

  get draft() {
    return this.document.columns[0];
  }

  /** The column that the editor shows. */
  get selected() {
    return this.column(this.document.selected) ?? this.draft;
  }

  column(id) {
    return this.document.columns.find((column) => column.id === id);
  }

  /**
   * Change the document. `parts` names what changed ("messages", "parameters", "columns", "selected", "values", …);
   * listeners get a "change" event with {by, parts} in its detail and skip what they did themselves.
   * @param {(document: WorkbenchDocument) => void} mutate
   */
  change(by, parts, mutate) {
    mutate(this.document);
    this.dispatchEvent(new CustomEvent("change", { detail: { by, parts } }));
  }

  /** Another document in place of this one: a restored draft, a merged save. */
  replace(by, document) {
    this.document = document;
    this.dispatchEvent(new CustomEvent("change", { detail: { by, parts: ["all"] } }));
  }

  /** Call `listener({by, parts})` at each change of one of `parts`, or of all; returns what stops that. */
  on(parts, listener) {
    const hear = (event) => {
      const changed = event.detail.parts;
      if (changed.includes("all") || parts.some((part) => changed.includes(part))) listener(event.detail);
    };
    this.addEventListener("change", hear);
    return () => this.removeEventListener("change", hear);
  }
}
