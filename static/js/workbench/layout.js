// Where the parts of the page stand: what takes the whole width below the editor leaves the parameters beside it.

/**
 * Several answers, or a conversation, stand below the editor, over the whole width; model, parameters, tools and
 * schema are then beside the messages, under the variables. With one answer, they are below the messages.
 */
export function placeParts({ root, store }) {
  const isWide = store.columns.length > 1 || root.dataset.mode === "conversation";
  root.toggleAttribute("data-wide", isWide);
  const parts = root.querySelector("#wb-parts");
  const place = root.querySelector(isWide ? "#wb-side" : "#wb-edit");
  if (parts.parentElement === place) return;
  const focused = parts.contains(document.activeElement) ? document.activeElement : null;
  place.append(parts);
  focused?.focus();
}
