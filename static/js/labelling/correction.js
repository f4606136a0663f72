// A corrected text and, below it, what differs from the answer, word by word while one types.
import { diffWordsWithSpace } from "diff";
import { debounced, el, plural } from "../workbench/dom.js";

/** Two long texts that have little in common stop being compared then. */
const LIMITS = { timeout: 150, maxEditLength: 4_000 };
const DIFF_AFTER_MS = 120;

/**
 * @param {string} original the answer that is corrected
 * @returns {HTMLElement} with `show(text)`, which draws the difference
 */
export function differenceBox(original) {
  const words = el("p", { class: "lb-diff-words", role: "status" });
  const box = el("div", { class: "lb-diff text-diff", role: "group", "aria-label": "What you changed" });
  const place = el("div", { class: "lb-difference" }, words, box);
  place.draw = (text) => {
    box.hidden = text === original;
    if (text === original) {
      words.textContent = "Unchanged: edit the text to correct the answer.";
      return;
    }
    const pieces = diffWordsWithSpace(original, text, LIMITS);
    words.textContent = pieces ? counted(pieces) : "Too much differs to show it word by word.";
    box.hidden = !pieces;
    box.replaceChildren(...(pieces ?? []).map(piece));
    if (box.scrollHeight > box.clientHeight + 1) box.setAttribute("tabindex", "0");
    else box.removeAttribute("tabindex");
  };
  let waiting = original;
  const later = debounced(() => place.draw(waiting), DIFF_AFTER_MS);
  place.show = (text) => {
    waiting = text;
    later();
  };
  return place;
}

function piece({ value, added, removed }) {
  if (added) return el("ins", { text: value });
  if (removed) return el("del", { text: value });
  return document.createTextNode(value);
}

function counted(pieces) {
  const words = (kind) =>
    pieces.filter((one) => one[kind]).reduce((sum, one) => sum + (one.value.match(/\S+/g)?.length ?? 0), 0);
  return `${plural(words("removed"), "word")} taken out, ${words("added")} put in`;
}
