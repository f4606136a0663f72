import { Controller } from "@hotwired/stimulus";

/** Where a scroll position still counts as the end, in pixels. */
const NEAR = 24;

/** A list that grows at its end, as a log does: it stays at the end unless somebody has scrolled up to read. */
export default class extends Controller {
  connect() {
    this.atEnd = true;
    this.onScroll = () => {
      const { scrollHeight, scrollTop, clientHeight } = this.element;
      this.atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    };
    this.element.addEventListener("scroll", this.onScroll, { passive: true });
    this.observer = new MutationObserver(() => this.follow());
    this.observer.observe(this.element, { childList: true });
    this.follow();
  }

  disconnect() {
    this.observer.disconnect();
    this.element.removeEventListener("scroll", this.onScroll);
  }

  follow() {
    if (this.atEnd) this.element.scrollTop = this.element.scrollHeight;
  }
}
