import { Controller } from "@hotwired/stimulus";

/** The side panel: opens when htmx has swapped something into #drawer, closes by Escape, ✕ or a click outside. */
export default class extends Controller {
  static targets = ["body"];

  swapping(event) {
    if (this.concerns(event)) this.wasOpen = this.element.open;
  }

  swapped(event) {
    if (!this.concerns(event)) return;
    // What was open when its content came and is closed now was closed meanwhile, and stays so.
    if (!this.element.open && !this.wasOpen && this.bodyTarget.textContent.trim()) {
      this.element.showModal();
    }
    this.bodyTarget.scrollTop = 0;
    // An opened dialogue minds autofocus by itself; what is swapped into an open one does not.
    this.bodyTarget.querySelector("[autofocus]")?.focus();
  }

  /** htmx fires its events on what asked, not on where the answer goes. */
  concerns(event) {
    return event.detail.ctx?.target === this.bodyTarget;
  }

  close() {
    this.element.close();
  }

  outside(event) {
    // A click on the backdrop is a click on the dialog element itself.
    if (event.target === this.element) this.element.close();
  }
}
