import { Controller } from "@hotwired/stimulus";

const SEQUENCE_MS = 1200;
const TYPING =
  "input:not([type=checkbox]):not([type=radio]):not([type=button]), textarea, select, [contenteditable=true]";

/**
 * Keys. An element with data-key="n" (data-key-label="New prompt") is clicked, a field with it focused, when the
 * key is pressed outside of a text field. "g p" is two keys in a row, "mod+enter" works while typing too
 * (mod is Ctrl, or ⌘ on a Mac). Escape leaves a field that has a key, with what was typed, and so does a search by
 * Enter: the next key is the page's again. "?" shows them all, and those that another controller hears by itself: it lists
 * them in data-keys-here as JSON, [["j", "Next row"]].
 */
export default class extends Controller {
  static targets = ["list"];

  connect() {
    this.pressed = [];
    this.onKey = (event) => this.press(event);
    this.onSubmit = (event) => this.leaveSearch(event.target);
    document.addEventListener("keydown", this.onKey);
    document.addEventListener("submit", this.onSubmit);
  }

  disconnect() {
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("submit", this.onSubmit);
    clearTimeout(this.timer);
  }

  press(event) {
    if (event.defaultPrevented || event.altKey || event.isComposing) return;
    const withModifier = event.ctrlKey || event.metaKey;
    if (document.querySelector("dialog[open]") && !(withModifier && event.target.closest("dialog"))) return;
    if (!withModifier && event.target.closest?.(TYPING)) {
      this.leave(event);
      return;
    }
    if (withModifier) {
      this.act(event, `mod+${event.key.toLowerCase()}`);
      return;
    }
    if (event.key === "?") {
      event.preventDefault();
      this.toggle();
      return;
    }
    if (event.key.length > 1) return;
    this.pressed = [...this.pressed, event.key].slice(-2);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.pressed = [];
    }, SEQUENCE_MS);
    if (this.act(event, this.pressed.join(" ")) || this.act(event, event.key)) this.pressed = [];
  }

  /** The browser would empty a search field at Escape; what was typed stays. */
  leave(event) {
    if (event.key !== "Escape" || !event.target.matches("[data-key]")) return;
    event.preventDefault();
    event.target.blur();
  }

  leaveSearch(form) {
    const field = document.activeElement;
    if (field?.matches("input[type=search][data-key]") && field.form === form) field.blur();
  }

  /** True when an element has the key. */
  act(event, key) {
    const element = this.keyed().find((candidate) => candidate.dataset.key === key);
    if (!element) return false;
    event.preventDefault();
    if (element.matches(TYPING)) {
      element.focus();
      element.select?.();
    } else {
      element.click();
    }
    return true;
  }

  keyed() {
    return [...document.querySelectorAll("[data-key]")].filter(
      (element) => !element.disabled && !element.closest("[hidden], dialog:not([open])"),
    );
  }

  toggle() {
    const dialog = document.getElementById("keys-dialog");
    if (dialog.open) {
      dialog.close();
      return;
    }
    const shown = new Map([["?", "Show the keys"]]);
    for (const element of this.keyed()) {
      const label = element.dataset.keyLabel || element.getAttribute("aria-label") || element.textContent;
      if (!shown.has(element.dataset.key)) shown.set(element.dataset.key, label.trim());
    }
    for (const element of document.querySelectorAll("[data-keys-here]")) {
      for (const [key, label] of JSON.parse(element.dataset.keysHere)) shown.set(key, label);
    }
    this.listTarget.replaceChildren(...[...shown].map(([key, label]) => this.row(key, label)));
    dialog.showModal();
  }

  row(key, label) {
    const row = document.createElement("div");
    const term = document.createElement("dt");
    for (const part of key.split(/[ ]/)) {
      const kbd = document.createElement("kbd");
      kbd.textContent = part
        .replace("mod", /Mac/.test(navigator.platform) ? "⌘" : "Ctrl")
        .replace("enter", "Enter");
      term.append(kbd, " ");
    }
    const meaning = document.createElement("dd");
    meaning.textContent = label;
    row.append(term, meaning);
    return row;
  }
}
