import { Controller } from "@hotwired/stimulus";
import { meta } from "../requests.js";

/** The page on which a queue's items are judged: its code is loaded here, and only there. */
export default class extends Controller {
  async connect() {
    this.connected = true;
    const { mountLabelling } = await import(meta("asset-labelling"));
    if (this.connected) this.unmount = mountLabelling(this.element);
  }

  disconnect() {
    this.connected = false;
    this.unmount?.();
    this.unmount = undefined;
  }
}
