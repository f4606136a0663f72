import { Controller } from "@hotwired/stimulus";
import { meta, pageNonce } from "../requests.js";

/** Two texts side by side with their differences, read-only. What the server drew is kept when this fails. */
export default class extends Controller {
  static values = { left: String, right: String, language: { type: String, default: "text" } };

  async connect() {
    this.connected = true;
    try {
      const editors = await import(meta("asset-editor"));
      if (!this.connected || this.view) return;
      this.served = [...this.element.childNodes];
      this.view = editors.showDiff(this.element, {
        left: this.leftValue,
        right: this.rightValue,
        language: this.languageValue,
        nonce: pageNonce(),
      });
    } catch (error) {
      console.error(error);
    }
  }

  disconnect() {
    this.connected = false;
    this.view?.destroy();
    this.view = undefined;
    if (this.served) this.element.replaceChildren(...this.served);
  }
}
