// The one confirm dialogue. The <dialog> element gives the focus trap, Escape and the return of focus.

/**
 * Ask; resolves to true when the person goes on.
 * @param {{text: string, title?: string, label?: string, stay?: string, danger?: boolean}} question
 * @returns {Promise<boolean>}
 */
export function ask({ text, title = "Are you sure?", label = "Continue", stay = "Cancel", danger = false }) {
  const dialog = document.getElementById("confirm-dialog");
  if (!dialog) return Promise.resolve(false);
  const ok = dialog.querySelector("[data-confirm-ok]");
  dialog.querySelector("#confirm-title").textContent = title;
  dialog.querySelector("#confirm-text").textContent = text;
  ok.textContent = label;
  dialog.querySelector("[data-confirm-stay]").textContent = stay;
  ok.classList.toggle("btn-danger", danger);
  ok.classList.toggle("btn-primary", !danger);
  dialog.returnValue = "cancel";
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok"), { once: true });
    dialog.showModal();
  });
}
