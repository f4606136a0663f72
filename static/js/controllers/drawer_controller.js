import { Controller } from "@hotwired/stimulus";

/** The side panel: opens when htmx has swapped something into #drawer, closes by Escape, ✕ or a click outside. */
export default class extends Controller {
  static targets = ["body"];

  swapped(event) {
    // htmx fires this on what asked, not on where it went.
    if (event.detail.ctx?.target !== this.bodyTarget) return;
    if (!this.element.open && this.bodyTarget.textContent.trim()) {
      this.element.showModal();
    }
    this.bodyTarget.scrollTop = 0;
    // An opened dialogue minds autofocus by itself; what is swapped into an open one does not.
    this.bodyTarget.querySelector("[autofocus]")?.focus();
  }

  close() {
    this.element.close();
  }

  outside(event) {
    // A click on the backdrop is a click on the dialog element itself.
    if (event.target === this.element) this.element.close();
  }
}
