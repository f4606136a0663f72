import { Controller } from "@hotwired/stimulus";

const TYPING = "input, textarea, select, button, a, [contenteditable=true]";

/**
 * Walk the rows of a table by keys: j and k go down and up, Enter opens the row's link (data-walk-open).
 * Targets: `row` (each row).
 */
export default class extends Controller {
  static targets = ["row"];

  connect() {
    // For the overlay of keys, which lists what the page understands.
    this.element.dataset.keysHere = JSON.stringify([
      ["j", "Next row"],
      ["k", "Previous row"],
      ["enter", "Open the row"],
    ]);
    this.onKey = (event) => this.press(event);
    document.addEventListener("keydown", this.onKey);
  }

  disconnect() {
    document.removeEventListener("keydown", this.onKey);
  }

  press(event) {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (document.querySelector("dialog[open]:not(#drawer-dialog)")) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable=true]")) return;
    if (event.key === "j") this.move(event, 1);
    else if (event.key === "k") this.move(event, -1);
    else if (event.key === "Enter" && !event.target.closest?.(TYPING)) this.open(event);
  }

  get place() {
    return this.rowTargets.findIndex((row) => row.hasAttribute("data-walk-here"));
  }

  move(event, step) {
    event.preventDefault();
    const rows = this.rowTargets;
    if (!rows.length) return;
    const place = this.place;
    const next = place < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, place + step));
    for (const row of rows) row.removeAttribute("data-walk-here");
    rows[next].setAttribute("data-walk-here", "");
    rows[next].scrollIntoView({ block: "nearest" });
    // With the drawer open, walking shows the next row in it.
    if (document.getElementById("drawer-dialog")?.open) this.open(event);
    else rows[next].querySelector("[data-walk-open]")?.focus({ preventScroll: true });
  }

  open(event) {
    const row = this.rowTargets[this.place];
    if (!row) return;
    event.preventDefault();
    row.querySelector("[data-walk-open]")?.click();
  }
}
