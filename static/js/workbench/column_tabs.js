// The row above the editor: which column is edited, and how to add another beside it.
import { el, icon } from "./dom.js";

class ColumnTabs {
  constructor(context) {
    this.context = context;
    this.columns = context.columns;
    this.place = context.root.querySelector("#wb-columns");
    this.tabs = el("div", { class: "wb-tabs", role: "group", "aria-label": "Columns" });
    this.adder = this.drawAdder();
    this.tokens = el("span", { class: "wb-count wb-tokens" });
    this.place.append(this.tabs, this.adder, this.tokens);
    this.undo = [
      context.store.on(
        ["columns", "selected", "titles", "messages", "parameters", "tools", "response_schema"],
        () => this.draw(),
      ),
      context.checks.on((result, id) => this.showTokens(result, id)),
    ];
    this.draw();
  }

  draw() {
    const { store } = this.context;
    const focused = this.tabs.contains(document.activeElement) ? document.activeElement.dataset.column : null;
    const tabs = store.columns.map((column) => this.tab(column, column === store.selected));
    this.tabs.replaceChildren(...tabs);
    if (focused) this.tabs.querySelector(`[data-column="${CSS.escape(focused)}"]`)?.focus();
    this.adder.hidden = this.columns.full;
  }

  tab(column, selected) {
    return el(
      "button",
      {
        type: "button",
        class: selected ? "wb-tab active" : "wb-tab",
        "aria-pressed": String(selected),
        "data-column": column.id,
        on: { click: () => this.columns.select(column.id) },
      },
      this.columns.label(column),
      column.typed.model ? el("span", { class: "wb-tab-model", text: column.typed.model }) : null,
    );
  }

  drawAdder() {
    const menu = el("div", { class: "dropdown-menu wb-menu", "aria-labelledby": "wb-add-column" });
    const button = el(
      "button",
      {
        type: "button",
        class: "btn btn-sm dropdown-toggle",
        "data-bs-toggle": "dropdown",
        "aria-expanded": "false",
        id: "wb-add-column",
      },
      icon("columns") ?? "",
      "Add column",
    );
    // Drawn when it opens: versions are saved while the page is open.
    button.addEventListener("show.bs.dropdown", () => menu.replaceChildren(...this.choices()));
    return el("div", { class: "dropdown" }, button, menu);
  }

  choices() {
    const item = (click, ...inside) =>
      el("button", { type: "button", class: "dropdown-item", on: { click } }, ...inside);
    const copy = item(
      () => this.columns.duplicate(this.context.store.selected.id),
      "A copy of what the editor shows",
    );
    const versions = this.context.boot.versions.map(({ number, note, labels }) => {
      const words = [labels.join(", "), note].filter(Boolean).join(" · ");
      const told = el("span", { class: "wb-option-note", text: words });
      return item(() => this.columns.addVersion(number), `Version ${number}`, told);
    });
    return [copy, ...versions];
  }

  showTokens(result, id) {
    if (id !== this.context.store.selected.id) return;
    const tokens = result.tokens_estimate;
    this.tokens.textContent =
      tokens === null || tokens === undefined ? "" : `≈ ${tokens.toLocaleString("en")} tokens in all`;
  }
}

export function mountColumnTabs(context) {
  if (!context.boot.may_edit) return undefined;
  const tabs = new ColumnTabs(context);
  return () => tabs.undo.forEach((step) => step());
}
