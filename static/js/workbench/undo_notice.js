// One line that says what was done, with a button that takes it back.
import { announce, el, iconButton } from "./dom.js";

const STAYS_MS = 20_000;

/** Sets `context.offerUndo(sentence, undo)`. A newer offer takes the place of the older. */
export function mountUndoNotice(context) {
  const place = el("div", { class: "wb-undo", hidden: true, role: "region", "aria-label": "Undo" });
  context.root.append(place);
  let timer;
  const close = () => {
    place.hidden = true;
    place.replaceChildren();
  };
  context.offerUndo = (sentence, undo) => {
    clearTimeout(timer);
    const take = () => {
      close();
      undo();
      announce(context, "Taken back.");
    };
    place.replaceChildren(
      el("span", { text: sentence }),
      el("button", { type: "button", class: "btn btn-sm", text: "Undo", on: { click: take } }),
      iconButton("x", "Dismiss", close),
    );
    place.hidden = false;
    announce(context, sentence);
    timer = setTimeout(close, STAYS_MS);
  };
  return () => clearTimeout(timer);
}
