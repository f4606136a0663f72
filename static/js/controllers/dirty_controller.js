import { Controller } from "@hotwired/stimulus";

/** On a form: warns before leaving the page while something typed is not saved. */
export default class extends Controller {
  connect() {
    this.dirty = this.element.hasAttribute("data-dirty-from-start");
    this.onInput = () => {
      this.dirty = true;
    };
    this.onSubmit = (event) => {
      // htmx prevents the default and stays here: only a full submit, or a saved answer, ends the warning.
      if (!event.defaultPrevented) this.dirty = false;
    };
    this.onSaved = (event) => {
      const { ctx } = event.detail;
      if (ctx?.sourceElement === this.element && ctx.response?.status < 400) this.dirty = false;
    };
    this.onLeave = (event) => {
      if (this.dirty) event.preventDefault();
    };
    this.element.addEventListener("input", this.onInput);
    this.element.addEventListener("submit", this.onSubmit);
    this.element.addEventListener("htmx:after:request", this.onSaved);
    window.addEventListener("beforeunload", this.onLeave);
  }

  disconnect() {
    this.element.removeEventListener("input", this.onInput);
    this.element.removeEventListener("submit", this.onSubmit);
    this.element.removeEventListener("htmx:after:request", this.onSaved);
    window.removeEventListener("beforeunload", this.onLeave);
  }
}
