// The words in which an output differs from the first column's.
import { diffLines, diffWordsWithSpace } from "diff";
import { el } from "./dom.js";

/** Longer outputs are compared by lines; beyond the second bound, or after so long, not at all. */
const MAX_FOR_WORDS = 20_000;
const MAX_CHARS = 200_000;
const TIMEOUT_MS = 400;

/**
 * `text` with what differs from `other` marked, or null where that would take too long.
 * @returns {DocumentFragment | null}
 */
export function markedText(text, other) {
  const size = Math.max(text.length, other.length);
  if (size > MAX_CHARS) return null;
  const diff = size > MAX_FOR_WORDS ? diffLines : diffWordsWithSpace;
  const changes = diff(other, text, { timeout: TIMEOUT_MS });
  if (!changes) return null;
  const fragment = document.createDocumentFragment();
  for (const { value, added, removed } of changes) {
    if (added) fragment.append(el("ins", { class: "wb-ins", text: value }));
    else if (removed) fragment.append(el("del", { class: "wb-del", text: value }));
    else fragment.append(value);
  }
  return fragment;
}
