// htmx requests: the CSRF token, our confirm dialogue, and errors shown as a notice with nothing lost.
import { ask } from "./dialogs.js";
import { notify } from "./notices.js";

const SAFE = new Set(["GET", "HEAD", "OPTIONS", "QUERY"]);
/** Answers that may carry a fragment to swap in: a form shown again with its errors, both versions of a conflict. */
const SWAPPED_ERRORS = new Set([400, 409, 422]);

/** @param {string} name */
export function meta(name) {
  return document.querySelector(`meta[name="${name}"]`)?.content ?? "";
}

/** The page's nonce. Browsers hide the attribute and keep the property, so that no stylesheet can read it. */
export function pageNonce() {
  return document.querySelector("script[nonce]")?.nonce ?? "";
}

/** What the server said went wrong, out of a toast fragment, a problem document or a whole page. */
function problemOf(text, status) {
  try {
    const problem = JSON.parse(text);
    if (problem.detail) return { title: problem.title, detail: problem.detail };
  } catch {
    // Not JSON: a page or a fragment.
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  const title = page.querySelector(".notice-title, [data-problem-title]")?.textContent?.trim();
  const detail = page.querySelector("[data-toast-detail], [data-problem-detail]")?.textContent?.trim();
  if (detail) return { title, detail };
  if (status === 429) return { title: "Too many requests", detail: "Wait a moment, then try again." };
  return {
    title: `The server answered with an error (${status})`,
    detail: "Nothing you typed is lost. Try again; if it happens again, look at the server's log.",
  };
}

/** True for a piece of a page: no notice, no whole page, no problem document. */
function isFragment(text) {
  const start = text.trimStart().slice(0, 15).toLowerCase();
  return start.startsWith("<") && !start.startsWith("<!doctype") && !text.includes("data-toast-detail");
}

/** True when the answer must not be swapped in, because it is an error or the sign-in page. */
function refuseAnswer({ ctx }) {
  const { status } = ctx.response;
  if (ctx.text.includes("data-sign-in-page")) {
    notify({
      level: "warning",
      title: "You are signed out",
      detail: "Sign in in another tab, then try again here: what you typed is kept.",
    });
    return true;
  }
  if (status < 400) return false;
  if (SWAPPED_ERRORS.has(status) && isFragment(ctx.text)) return false;
  notify({ level: "danger", ...problemOf(ctx.text, status) });
  return true;
}

/** @param {Document} root */
export function handleRequests(root) {
  root.addEventListener("htmx:config:request", (event) => {
    const { request } = event.detail.ctx;
    if (!SAFE.has(request.method)) request.headers["X-CSRFToken"] = meta("csrf-token");
  });
  root.addEventListener("htmx:after:request", (event) => {
    if (event.detail.ctx?.response && refuseAnswer(event.detail)) event.preventDefault();
  });
  root.addEventListener("htmx:error", (event) => {
    const { error, ctx } = event.detail;
    if (!ctx || ctx.response) {
      console.error(error);
      return;
    }
    const late = ctx.request?.signal?.reason === "timeout";
    notify({
      level: "danger",
      title: late ? "The server did not answer in time" : "The server cannot be reached",
      detail: "Nothing you typed is lost. Check the connection, then try again.",
    });
  });
  root.addEventListener("htmx:confirm", (event) => {
    const { ctx, issueRequest, dropRequest } = event.detail;
    if (!ctx?.confirm) return;
    event.preventDefault();
    ask({ text: ctx.confirm }).then((yes) => (yes ? issueRequest() : dropRequest()));
  });
}
