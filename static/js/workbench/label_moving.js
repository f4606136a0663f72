// Moving a label, or setting a new one, from the list of versions.
import { notify } from "../notices.js";
import { ApiError } from "./api.js";
import { el } from "./dom.js";

/** Ask for a label and a reason, then move it to version `number`; `done()` is called when it has moved. */
export async function moveLabel(context, number, done) {
  const dialog = context.root.querySelector("#wbt-label");
  const name = dialog.querySelector("#wbt-label-name");
  const reason = dialog.querySelector("#wbt-label-reason");
  const error = dialog.querySelector("[data-error]");
  const controller = new AbortController();
  const { signal } = controller;
  dialog.querySelector("#wbt-label-title").textContent = `Move a label to version ${number}`;
  name.value = reason.value = "";
  error.hidden = true;
  dialog.addEventListener("close", () => controller.abort(), { signal });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close(), { signal });
  const submit = async (event) => {
    event.preventDefault();
    try {
      const moved = await context.api.post("label_move", { label: name.value, number, reason: reason.value });
      dialog.close();
      notify({ level: "success", detail: `“${moved.label}” points to version ${moved.number} now.` });
      done();
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      error.textContent = problem.message;
      error.hidden = false;
    }
  };
  dialog.querySelector("form").addEventListener("submit", submit, { signal });
  dialog.showModal();
  name.focus();
  await offerNames(context, dialog);
}

async function offerNames(context, dialog) {
  try {
    const found = await context.api.get("save", {});
    const names = (found?.labels ?? [])
      .filter((label) => label.may_move)
      .map(({ name }) => el("option", { value: name }));
    dialog.querySelector("#wbt-label-names").replaceChildren(...names);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
}
