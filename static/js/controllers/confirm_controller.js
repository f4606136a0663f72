import { Controller } from "@hotwired/stimulus";
import { ask } from "../dialogs.js";

/**
 * A button or link that asks before it acts.
 * <button data-controller="confirm" data-confirm-text-value="All runs stay." data-confirm-danger-value="true">
 */
export default class extends Controller {
  static values = {
    text: String,
    title: { type: String, default: "Are you sure?" },
    label: { type: String, default: "" },
    danger: { type: Boolean, default: false },
  };

  connect() {
    this.agreed = false;
    this.onClick = (event) => this.intercept(event);
    // Captured, so that it comes before htmx's own listener on the same element.
    this.element.addEventListener("click", this.onClick, { capture: true });
  }

  disconnect() {
    this.element.removeEventListener("click", this.onClick, { capture: true });
  }

  async intercept(event) {
    if (this.agreed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const yes = await ask({
      text: this.textValue,
      title: this.titleValue,
      label: this.labelValue || this.element.textContent.trim() || "Continue",
      danger: this.dangerValue,
    });
    if (!yes) return;
    this.agreed = true;
    this.element.click();
    this.agreed = false;
  }
}
