import { Controller } from "@hotwired/stimulus";

/**
 * Goes to another page after a moment, unless somebody says that they stay. The moment begins when the page is
 * looked at: nobody finds another page in a tab that they come back to.
 */
export default class extends Controller {
  static values = { url: String, after: { type: Number, default: 4000 } };

  connect() {
    this.onVisible = () => this.begin();
    document.addEventListener("visibilitychange", this.onVisible);
    this.begin();
  }

  disconnect() {
    this.end();
  }

  begin() {
    clearTimeout(this.timer);
    if (document.visibilityState === "visible") this.timer = setTimeout(() => this.go(), this.afterValue);
  }

  stay() {
    this.end();
    this.element.hidden = true;
  }

  go() {
    if (document.querySelector("dialog[open]")) return;
    window.location.assign(this.urlValue);
  }

  end() {
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.onVisible);
  }
}
