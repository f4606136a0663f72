import { Controller } from "@hotwired/stimulus";
import { meta, pageNonce } from "../requests.js";

/** The page where a prompt is edited, run, compared and saved: its code is loaded here, and only there. */
export default class extends Controller {
  async connect() {
    this.connected = true;
    const { mountWorkbench } = await import(meta("asset-workbench"));
    if (this.connected) this.unmount = mountWorkbench(this.element, { nonce: pageNonce() });
  }

  disconnect() {
    this.connected = false;
    this.unmount?.();
    this.unmount = undefined;
  }
}
