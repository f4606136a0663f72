// The workbench, loaded only on its own page. Each part is a function of (context) that wires one region of the page.
import { Api } from "./workbench/api.js";
import { mountRun } from "./workbench/run.js";
import { Store } from "./workbench/store.js";
import { mountStream } from "./workbench/stream.js";

/** In the order in which they are wired; a part may return a function that undoes it. */
const PARTS = [mountStream, mountRun];

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
