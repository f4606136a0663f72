// Notices: short messages in the corner that a screen reader reads out.

/**
 * Show a notice. The same words again renew the one that is shown, so a failing poll makes no pile.
 * @param {{level?: "info"|"success"|"warning"|"danger", title?: string, detail: string}} notice
 */
export function notify({ level = "info", title = "", detail }) {
  document.dispatchEvent(new CustomEvent("notice", { detail: { level, title, detail } }));
}

/** The notice's element, of the same shape as templates/components/_toast.html draws. */
export function noticeElement({ level, title, detail }) {
  const root = document.createElement("div");
  root.className = `notice notice-${level}`;
  root.setAttribute("role", level === "danger" ? "alert" : "status");
  root.dataset.toast = "";
  root.dataset.toastLevel = level;
  const body = document.createElement("div");
  body.className = "notice-body";
  if (title) {
    const strong = document.createElement("strong");
    strong.className = "notice-title";
    strong.textContent = title;
    body.append(strong, " ");
  }
  const text = document.createElement("span");
  text.dataset.toastDetail = "";
  text.textContent = detail;
  body.append(text);
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn-close notice-close";
  close.setAttribute("aria-label", "Dismiss");
  close.dataset.action = "toast#dismiss";
  root.append(body, close);
  return root;
}
