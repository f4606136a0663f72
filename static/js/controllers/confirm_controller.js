import { Controller } from "@hotwired/stimulus";
import { ask } from "../dialogs.js";
import { standIn } from "../stand_in.js";

/**
 * A button or link that asks before it acts.
 * <button data-controller="confirm" data-confirm-text-value="All runs stay." data-confirm-danger-value="true">
 *
 * What was asked about is what is done, also when the page around the button was swapped while the question was
 * open. `label` is the button that goes on, `stay` the one that does not.
 */
export default class extends Controller {
  static values = {
    text: String,
    title: { type: String, default: "Are you sure?" },
    label: { type: String, default: "" },
    stay: { type: String, default: "Cancel" },
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
    const { element } = this;
    const actInstead = standIn(element);
    const yes = await ask({
      text: this.textValue,
      title: this.titleValue,
      label: this.labelValue || element.textContent.trim() || "Continue",
      stay: this.stayValue,
      danger: this.dangerValue,
    });
    if (!yes) return;
    if (!element.isConnected) {
      actInstead();
      return;
    }
    this.agreed = true;
    element.click();
    this.agreed = false;
  }
}
