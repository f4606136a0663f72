// Which of two drafts of the same person to go on with.

/**
 * @param {{theirs: string | null, mine: string}} times in words; null: the other one was discarded
 * @returns {Promise<"theirs" | "mine" | null>} null when the question was put off by Escape
 */
export function chooseDraft(context, { theirs, mine }) {
  const dialog = context.root.querySelector("#wbs-choose");
  if (dialog.open) return Promise.resolve(null);
  dialog.querySelector("[data-text]").textContent = theirs
    ? "You changed this draft in another tab or on another machine. Both are kept until you choose; the one you do not choose can be had back right after."
    : "This draft was discarded in another tab, or saved as a version, while you typed here.";
  dialog.querySelector("[data-theirs]").textContent = theirs
    ? `Take the other (${theirs})`
    : "Discard it here too";
  dialog.querySelector("[data-mine]").textContent = `Keep this one (${mine})`;
  dialog.returnValue = "";
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue || null), { once: true });
    dialog.showModal();
  });
}
