import { Controller } from "@hotwired/stimulus";
import { notify } from "../notices.js";

/** Copies data-clipboard-text-value, or the text of the `source` target, and says so. */
export default class extends Controller {
  static targets = ["source"];
  static values = { text: String };

  async copy() {
    const source = this.hasSourceTarget ? this.sourceTarget : null;
    const text = this.textValue || source?.value || source?.textContent || "";
    try {
      await navigator.clipboard.writeText(text);
      notify({ level: "success", detail: "Copied." });
    } catch {
      // Without https or permission there is no clipboard: select it, so that Ctrl+C does it.
      if (source?.select) source.select();
      else if (source) getSelection()?.selectAllChildren(source);
      notify({
        level: "warning",
        detail: "The browser does not allow copying here. Press Ctrl+C to copy the selection.",
      });
    }
  }
}
