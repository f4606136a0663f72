import { Controller } from "@hotwired/stimulus";
import { meta, pageNonce } from "../requests.js";

/**
 * Makes a textarea a code editor. The textarea stays in the form and keeps the text, so the form works the same
 * without JavaScript. <textarea data-controller="editor" data-editor-language-value="jinja|json|markdown|text">
 */
export default class extends Controller {
  static values = {
    language: { type: String, default: "text" },
    readonly: { type: Boolean, default: false },
  };

  async connect() {
    this.connected = true;
    try {
      const editors = await import(meta("asset-editor"));
      if (!this.connected || this.view) return;
      this.view = editors.editTextarea(this.element, {
        language: this.languageValue,
        readonly: this.readonlyValue || this.element.readOnly || this.element.disabled,
        nonce: pageNonce(),
      });
    } catch (error) {
      console.error(error); // the plain textarea still works
    }
  }

  disconnect() {
    this.connected = false;
    this.view?.destroy();
    this.view = undefined;
    this.element.classList.remove("editor-source");
  }
}
