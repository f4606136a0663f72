// What the page's address asked for (?version=, ?call=) stands in the document already: say so, and keep it.
import { notify } from "../notices.js";

/** Wired last. A reload must not ask for the same again: what is typed from now on is the draft. */
export function mountOpened({ boot, store }) {
  if (!boot.opened) return;
  history.replaceState(history.state, "", location.pathname);
  notify({ level: "info", detail: boot.opened });
  store.change("opened", ["all"], () => {});
}
