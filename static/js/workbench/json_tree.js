// A JSON value as a tree that opens piece by piece, so that a large one costs nothing until it is looked at.
import { el } from "./dom.js";

const SHOWN_AT_ONCE = 200;
const OPEN_DEPTH = 2;

/** The JSON that a text holds, on its own or in a ``` fence; undefined when there is none. */
export function jsonIn(text) {
  for (const candidate of [text, fencedIn(text)]) {
    if (!candidate || !/^\s*[[{"\d-tfn]/.test(candidate)) continue;
    try {
      return JSON.parse(candidate);
    } catch {
      // The next candidate, or none.
    }
  }
  return undefined;
}

/** What stands in the first ``` fence. No pattern goes over the same characters twice, however many there are. */
function fencedIn(text) {
  const begin = /```(?:json)?[ \t\r]*\n/.exec(text);
  if (!begin) return undefined;
  const lines = text.slice(begin.index + begin[0].length).split("\n");
  const end = lines.findIndex((line) => line.trimStart().startsWith("```"));
  return end < 0 ? undefined : lines.slice(0, end).join("\n");
}

export function jsonTree(value) {
  return el("div", { class: "json-tree" }, node(null, value, 0));
}

function node(name, value, depth) {
  if (value === null || typeof value !== "object") return leaf(name, value);
  const entries = Object.entries(value);
  const size = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  const details = el(
    "details",
    {},
    el("summary", {}, ...key(name), el("span", { class: "json-size", text: size })),
  );
  let filled = false;
  const fill = () => {
    if (filled || !details.open) return;
    filled = true;
    details.append(...branch(entries, depth + 1, 0));
  };
  details.addEventListener("toggle", fill);
  details.open = depth < OPEN_DEPTH;
  fill();
  return details;
}

function branch(entries, depth, from) {
  const shown = entries.slice(from, from + SHOWN_AT_ONCE).map(([name, value]) => node(name, value, depth));
  const left = entries.length - from - SHOWN_AT_ONCE;
  if (left <= 0) return shown;
  const more = el("button", { type: "button", class: "btn btn-sm", text: `${left} more` });
  more.addEventListener("click", () => more.replaceWith(...branch(entries, depth, from + SHOWN_AT_ONCE)));
  return [...shown, more];
}

function leaf(name, value) {
  const kind = value === null ? "null" : typeof value;
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return el("div", { class: "json-leaf" }, ...key(name), el("span", { class: `json-${kind}`, text }));
}

const key = (name) => (name === null ? [] : [el("span", { class: "json-key", text: `${name}: ` })]);
