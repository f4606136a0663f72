// Texts that are read: as they are, or as Markdown; long ones scroll in themselves.
import { el } from "../workbench/dom.js";
import { renderMarkdown } from "../workbench/markdown.js";

/** A text in a box of its own that the keyboard reaches when it scrolls; drawn again when the view changes. */
export function readingBox(text, label, preferences) {
  const box = el("div", { class: "lb-text", role: "group", "aria-label": label });
  box.draw = () => {
    const asMarkdown = preferences.get("view") === "markdown" && text;
    box.dataset.view = asMarkdown ? "markdown" : "plain";
    if (asMarkdown) box.replaceChildren(renderMarkdown(text));
    else
      box.replaceChildren(
        text ? document.createTextNode(text) : el("em", { class: "lb-nothing", text: "(empty)" }),
      );
  };
  box.draw();
  return box;
}

/** Only what can be scrolled is a stop of the Tab key. */
export function mindScrolling(root) {
  for (const box of root.querySelectorAll(".lb-text, .lb-conversation")) {
    if (box.scrollHeight > box.clientHeight + 1) box.setAttribute("tabindex", "0");
    else box.removeAttribute("tabindex");
  }
}

export function redraw(root) {
  for (const box of root.querySelectorAll(".lb-text")) box.draw?.();
  mindScrolling(root);
}

/** What a message holds, as text: parts of a message, and calls of tools, one below the other. */
export function messageText(message) {
  const { content, tool_calls: calls } = message;
  const parts =
    typeof content === "string" ? [content] : (Array.isArray(content) ? content : [content]).map(partText);
  return [...parts, ...(calls ?? []).map(callText)].filter(Boolean).join("\n");
}

function partText(part) {
  if (part === null || part === undefined) return "";
  if (typeof part === "string") return part;
  return typeof part.text === "string" ? part.text : valueText(part);
}

function callText(call) {
  const made = call.function ?? call;
  return `Calls ${made.name}: ${typeof made.arguments === "string" ? made.arguments : valueText(made.arguments)}`;
}

export function valueText(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
