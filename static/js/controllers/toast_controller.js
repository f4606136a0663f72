import { Controller } from "@hotwired/stimulus";
import { noticeElement } from "../notices.js";

const SHOWN_MS = 6000;
const LASTING = new Set(["danger", "warning"]);

/**
 * The list of notices. Errors and warnings stay until dismissed; the others go by themselves.
 *
 * A modal dialogue stands above the page, whatever its z-index, and what is outside of it cannot be clicked. So the
 * list moves into the dialogue that was opened last, and back to the page when none is open.
 */
export default class extends Controller {
  static targets = ["list"];

  connect() {
    this.timers = new Set();
    this.list = this.listTarget;
    this.home = this.list.parentElement;
    this.dialogs = [...document.querySelectorAll("dialog[open]")];
    this.onNotice = (event) => this.add(event.detail);
    document.addEventListener("notice", this.onNotice);
    this.onSubmit = () => this.dropPassing();
    document.addEventListener("submit", this.onSubmit);
    for (const notice of this.list.querySelectorAll("[data-toast]")) this.expire(notice);
    this.observer = new MutationObserver((changes) => {
      for (const node of changes.flatMap((change) => [...change.addedNodes])) {
        if (node instanceof HTMLElement && node.matches("[data-toast]")) this.expire(node);
      }
    });
    this.observer.observe(this.list, { childList: true });
    this.opening = new MutationObserver((changes) => this.follow(changes.map((change) => change.target)));
    this.opening.observe(document.body, { subtree: true, attributeFilter: ["open"] });
    this.onSwap = () => this.place();
    document.addEventListener("htmx:after:swap", this.onSwap);
  }

  disconnect() {
    document.removeEventListener("notice", this.onNotice);
    document.removeEventListener("submit", this.onSubmit);
    document.removeEventListener("htmx:after:swap", this.onSwap);
    this.observer.disconnect();
    this.opening.disconnect();
    for (const timer of this.timers) clearTimeout(timer);
  }

  /** Keeps the dialogues in the order in which they were opened. */
  follow(changed) {
    for (const dialog of changed.filter((element) => element instanceof HTMLDialogElement)) {
      this.dialogs = this.dialogs.filter((other) => other !== dialog);
      if (dialog.open) this.dialogs.push(dialog);
    }
    this.place();
  }

  /** Puts the list where it can be seen. A swap may have taken its dialogue away, and the list with it. */
  place() {
    const place = this.dialogs.findLast((dialog) => dialog.open && dialog.isConnected) ?? this.home;
    if (this.list.parentElement !== place || !this.list.isConnected) place.append(this.list);
  }

  add(notice) {
    this.place();
    const element = noticeElement(notice);
    for (const shown of this.list.querySelectorAll("[data-toast]")) {
      if (shown.textContent.trim() === element.textContent.trim()) shown.remove();
    }
    this.list.append(element);
  }

  /** What went well before is old news once the next thing is asked for. */
  dropPassing() {
    for (const notice of this.list.querySelectorAll("[data-toast]")) {
      if (!LASTING.has(notice.dataset.toastLevel)) notice.remove();
    }
  }

  dismiss(event) {
    event.currentTarget.closest("[data-toast]").remove();
  }

  expire(notice) {
    if (LASTING.has(notice.dataset.toastLevel)) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      // A notice that someone reads with the pointer or the focus on it stays.
      if (notice.matches(":hover, :focus-within")) this.expire(notice);
      else notice.remove();
    }, SHOWN_MS);
    this.timers.add(timer);
  }
}
