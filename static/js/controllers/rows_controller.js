import { Controller } from "@hotwired/stimulus";

/**
 * A list of form rows that can be added to, removed from and put in order.
 *
 * Targets: `list`, `row` (each row), `template` (a <template> whose names and ids hold __index__), and optionally
 * `total` (a hidden input that is kept at the number of rows, as formsets want it).
 * Names that match data-rows-prefix-value, e.g. "messages-0-role", are renumbered in the order shown, and so are
 * labels: data-rows-label="Remove message #".
 */
export default class extends Controller {
  static targets = ["list", "row", "template", "total"];
  static values = { prefix: { type: String, default: "rows" }, min: { type: Number, default: 0 } };

  connect() {
    this.renumber();
  }

  add() {
    const index = String(this.rowTargets.length);
    const holder = document.createElement("template");
    holder.innerHTML = this.templateTarget.innerHTML.replaceAll("__index__", index);
    const row = holder.content.firstElementChild;
    this.listTarget.append(row);
    this.changed();
    row.querySelector("select, textarea, input:not([type=hidden])")?.focus();
  }

  remove(event) {
    if (this.rowTargets.length <= this.minValue) return;
    const row = this.rowOf(event);
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    this.changed();
    (
      next?.querySelector("button, select, textarea, input") ??
      this.element.querySelector("[data-action*='rows#add']")
    )?.focus();
  }

  up(event) {
    this.move(event, (row) => row.previousElementSibling?.before(row));
  }

  down(event) {
    this.move(event, (row) => row.nextElementSibling?.after(row));
  }

  move(event, place) {
    const button = event.currentTarget;
    place(this.rowOf(event));
    this.changed();
    button.focus();
  }

  rowOf(event) {
    return event.currentTarget.closest("[data-rows-target~='row']");
  }

  changed() {
    this.renumber();
    this.dispatch("change", { bubbles: true });
    this.element.closest("form")?.dispatchEvent(new Event("input", { bubbles: true }));
  }

  renumber() {
    const rows = this.rowTargets;
    const numbered = new RegExp(
      `((?:id_)?${RegExp.escape?.(this.prefixValue) ?? this.prefixValue}-)(\\d+)(?=-|$)`,
    );
    rows.forEach((row, index) => {
      for (const element of [row, ...row.querySelectorAll("[name], [id], [for], [aria-describedby]")]) {
        for (const attribute of ["name", "id", "for", "aria-describedby"]) {
          const value = element.getAttribute(attribute);
          if (value && numbered.test(value))
            element.setAttribute(attribute, value.replace(numbered, `$1${index}`));
        }
      }
      for (const place of row.querySelectorAll("[data-rows-number]")) place.textContent = String(index + 1);
      for (const named of row.querySelectorAll("[data-rows-label]")) {
        named.setAttribute("aria-label", named.dataset.rowsLabel.replace("#", String(index + 1)));
      }
      setDisabled(row, "rows#up", index === 0);
      setDisabled(row, "rows#down", index === rows.length - 1);
      setDisabled(row, "rows#remove", rows.length <= this.minValue);
    });
    if (this.hasTotalTarget) this.totalTarget.value = String(rows.length);
  }
}

function setDisabled(row, action, disabled) {
  for (const button of row.querySelectorAll(`[data-action*="${action}"]`)) button.disabled = disabled;
}
