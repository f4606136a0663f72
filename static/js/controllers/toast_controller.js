import { Controller } from "@hotwired/stimulus";
import { noticeElement } from "../notices.js";

const SHOWN_MS = 6000;
const LASTING = new Set(["danger", "warning"]);

/** The list of notices. Errors and warnings stay until dismissed; the others go by themselves. */
export default class extends Controller {
  static targets = ["list"];

  connect() {
    this.timers = new Set();
    this.onNotice = (event) => this.add(event.detail);
    document.addEventListener("notice", this.onNotice);
    this.onSubmit = () => this.dropPassing();
    document.addEventListener("submit", this.onSubmit);
    for (const notice of this.listTarget.querySelectorAll("[data-toast]")) this.expire(notice);
    this.observer = new MutationObserver((changes) => {
      for (const node of changes.flatMap((change) => [...change.addedNodes])) {
        if (node instanceof HTMLElement && node.matches("[data-toast]")) this.expire(node);
      }
    });
    this.observer.observe(this.listTarget, { childList: true });
  }

  disconnect() {
    document.removeEventListener("notice", this.onNotice);
    document.removeEventListener("submit", this.onSubmit);
    this.observer.disconnect();
    for (const timer of this.timers) clearTimeout(timer);
  }

  add(notice) {
    const element = noticeElement(notice);
    for (const shown of this.listTarget.querySelectorAll("[data-toast]")) {
      if (shown.textContent.trim() === element.textContent.trim()) shown.remove();
    }
    this.listTarget.append(element);
  }

  /** What went well before is old news once the next thing is asked for. */
  dropPassing() {
    for (const notice of this.listTarget.querySelectorAll("[data-toast]")) {
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
