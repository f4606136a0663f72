// The answer itself, as text, as Markdown or as a JSON tree; text grows as it comes, without being drawn anew.
import { jsonIn, jsonTree } from "./json_tree.js";
import { renderMarkdown } from "./markdown.js";
import { el } from "./dom.js";

/** While it streams, Markdown is drawn at most so often, and only up to so many characters. */
const MARKDOWN_EVERY_MS = 300;
const MARKDOWN_WHILE_STREAMING = 60_000;

export class OutputText {
  constructor(label) {
    this.view = "text";
    this.text = "";
    this.waiting = "";
    this.element = el("div", { class: "wb-output-text", tabindex: "0", role: "group", "aria-label": label });
    this.clear();
  }

  clear() {
    this.text = "";
    this.waiting = "";
    this.streaming = false;
    this.draw();
  }

  /** Pieces that come within one frame are drawn together. */
  append(piece) {
    this.text += piece;
    this.waiting += piece;
    this.streaming = true;
    this.frame ??= requestAnimationFrame(() => this.drawWaiting());
  }

  /** The whole answer, at its end or after a reload. */
  finish(text) {
    this.streaming = false;
    const same = this.text === text;
    this.text = text;
    if (!same || this.view !== "text" || this.waiting) this.draw();
  }

  show(view) {
    this.view = view;
    this.draw();
  }

  /** The answer with differences marked; the next draw takes the marks away again. */
  showMarked(fragment) {
    if (this.view !== "text") return;
    this.element.replaceChildren(fragment);
    this.marked = true;
  }

  unmark() {
    if (this.marked) this.draw();
  }

  draw() {
    this.waiting = "";
    this.marked = false;
    this.element.dataset.view = this.view;
    if (this.view === "markdown") this.element.replaceChildren(renderMarkdown(this.text));
    else if (this.view === "json") this.element.replaceChildren(this.tree());
    else {
      this.node = document.createTextNode(this.text);
      this.element.replaceChildren(this.node);
    }
  }

  tree() {
    const value = jsonIn(this.text);
    if (value !== undefined) return jsonTree(value);
    const words = this.streaming ? "The answer is not whole yet." : "The answer holds no JSON.";
    return el("p", { class: "text-secondary", text: this.text ? words : "" });
  }

  drawWaiting() {
    this.frame = null;
    if (!this.waiting) return;
    if (this.view === "text") {
      const atEnd = isAtEnd(this.element);
      this.node.appendData(this.waiting);
      this.waiting = "";
      if (atEnd) this.element.scrollTop = this.element.scrollHeight;
    } else if (this.view === "markdown" && this.text.length < MARKDOWN_WHILE_STREAMING) {
      this.later ??= setTimeout(() => {
        this.later = null;
        if (this.view === "markdown") this.draw();
      }, MARKDOWN_EVERY_MS);
    }
  }
}

/** Who scrolled up to read is left there. */
function isAtEnd(element) {
  return element.scrollHeight - element.scrollTop - element.clientHeight < 40;
}
