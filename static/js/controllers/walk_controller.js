import { Controller } from "@hotwired/stimulus";

const TYPING = "input, textarea, select, button, a, [contenteditable=true]";
const FIELDS = "input, textarea, select, [contenteditable=true]";

/**
 * Walk the rows of a table by keys: j and k go down and up, Enter opens the row's link (data-walk-open), and a link
 * of the row with data-walk-key="e" (data-walk-label="Add to a dataset") is followed by that key. All of them work
 * while the drawer shows a row, where elements with data-walk-step="1" or "-1" go on too.
 * Targets: `row` (each row).
 */
export default class extends Controller {
  static targets = ["row"];

  connect() {
    this.listKeys();
    this.onKey = (event) => this.press(event);
    this.onClick = (event) => this.step(event);
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("click", this.onClick);
  }

  disconnect() {
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("click", this.onClick);
  }

  /** For the overlay of keys, which lists what the page understands. */
  listKeys() {
    const own = [...(this.rowTargets[0]?.querySelectorAll("[data-walk-key]") ?? [])];
    this.element.dataset.keysHere = JSON.stringify([
      ["j", "Next row"],
      ["k", "Previous row"],
      ["enter", "Open the row"],
      ...own.map((link) => [link.dataset.walkKey, link.dataset.walkLabel]),
    ]);
  }

  press(event) {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (document.querySelector("dialog[open]:not(#drawer-dialog)")) return;
    if (event.target.closest?.(FIELDS)) return;
    if (event.key === "j") this.move(event, 1);
    else if (event.key === "k") this.move(event, -1);
    else if (event.key === "Enter" && !event.target.closest?.(TYPING)) this.open(event);
    else this.follow(event);
  }

  get place() {
    return this.rowTargets.findIndex((row) => row.hasAttribute("data-walk-here"));
  }

  get drawerIsOpen() {
    return Boolean(document.getElementById("drawer-dialog")?.open);
  }

  /** A click on "next" in the drawer; one on a row's link is where walking goes on from. */
  step(event) {
    const button = event.target.closest?.("[data-walk-step]");
    if (button) this.move(event, Number(button.dataset.walkStep));
    const row = event.target.closest?.("[data-walk-open]")?.closest("[data-walk-target~=row]");
    if (row && this.rowTargets.includes(row)) this.mark(row);
  }

  mark(row) {
    for (const other of this.rowTargets) other.removeAttribute("data-walk-here");
    row.setAttribute("data-walk-here", "");
    row.scrollIntoView({ block: "nearest" });
  }

  move(event, step) {
    event.preventDefault();
    const rows = this.rowTargets;
    if (!rows.length) return;
    const place = this.place;
    const next = place < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, place + step));
    this.mark(rows[next]);
    // With the drawer open, walking shows the next row in it.
    if (!this.drawerIsOpen) rows[next].querySelector("[data-walk-open]")?.focus({ preventScroll: true });
    else if (next !== place) this.open(event);
  }

  open(event) {
    const row = this.rowTargets[this.place];
    if (!row) return;
    event.preventDefault();
    row.querySelector("[data-walk-open]")?.click();
  }

  /** A key of the row's own links; it means the first row where none is chosen yet. */
  follow(event) {
    if (event.key.length > 1 || event.target.closest?.("dialog:not(#drawer-dialog)")) return;
    const row = this.rowTargets[Math.max(0, this.place)];
    const link = row?.querySelector(`[data-walk-key="${CSS.escape(event.key)}"]`);
    if (!link) return;
    event.preventDefault();
    if (this.place < 0) this.mark(row);
    link.click();
  }
}
