// The workbench, loaded only on its own page. Each part is a function of (context) that wires one region of the page.
import { Api } from "./workbench/api.js";
import { Store } from "./workbench/store.js";

/** In the order in which they are wired; a part may return a function that undoes it. */
const PARTS = [];

/**
 * Wire the page up.
 * @param {HTMLElement} root the element that holds the whole workbench
 * @param {{nonce: string}} options
 * @returns {() => void} takes everything down again
 */
export function mountWorkbench(root, { nonce }) {
  const boot = JSON.parse(root.querySelector("#workbench-boot").textContent);
  const context = { root, nonce, boot, store: new Store(boot.document), api: new Api(boot.urls) };
  const undo = PARTS.map((mount) => mount(context));
  return () => undo.forEach((step) => step?.());
}
