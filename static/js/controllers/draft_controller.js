import { Controller } from "@hotwired/stimulus";

/**
 * On a form of one text: what is typed is kept for this tab until it is sent, and put back when the form is drawn
 * again. Values: `name`, which says whose draft of what it is. Targets: `text`. Action `drop` gives the draft up.
 */
export default class extends Controller {
  static targets = ["text"];
  static values = { name: String };

  connect() {
    this.onInput = () => this.keep();
    this.onSent = (event) => this.sent(event);
    this.element.addEventListener("input", this.onInput);
    // On the document, where an answer that is refused has been marked so before.
    document.addEventListener("htmx:after:request", this.onSent);
    const kept = sessionStorage.getItem(this.key);
    if (kept === null || kept === this.textTarget.value) return;
    this.textTarget.value = kept;
    this.textTarget.dispatchEvent(new Event("input", { bubbles: true }));
  }

  disconnect() {
    this.element.removeEventListener("input", this.onInput);
    document.removeEventListener("htmx:after:request", this.onSent);
  }

  get key() {
    return `draft ${this.nameValue}`;
  }

  keep() {
    if (this.textTarget.value === this.textTarget.defaultValue) this.drop();
    else sessionStorage.setItem(this.key, this.textTarget.value);
  }

  drop() {
    sessionStorage.removeItem(this.key);
  }

  sent(event) {
    const { ctx } = event.detail;
    if (event.defaultPrevented || ctx?.sourceElement !== this.element) return;
    if (ctx.response?.status < 400) this.drop();
  }
}
