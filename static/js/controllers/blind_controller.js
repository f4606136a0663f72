import { Controller } from "@hotwired/stimulus";

/** A second press that was meant for the row before must not become a vote on this one. */
const SETTLE_MS = 350;

/**
 * Blind review: votes wait a moment after a row appeared, and one that could not be sent is kept and sent again.
 * Targets: `form`, `vote` (the three buttons), `lost` (the notice of an unsaved vote), `choice` (which one it was).
 */
export default class extends Controller {
  static targets = ["form", "vote", "lost", "choice"];

  connect() {
    for (const button of this.voteTargets) button.disabled = true;
    this.timer = setTimeout(() => {
      for (const button of this.voteTargets) button.disabled = false;
    }, SETTLE_MS);
    this.onSubmit = (event) => {
      this.pressed = event.submitter ?? this.pressed;
    };
    this.onError = (event) => this.keepUnsent(event);
    this.onOnline = () => this.retry();
    this.element.addEventListener("submit", this.onSubmit, true);
    this.element.addEventListener("htmx:error", this.onError);
    window.addEventListener("online", this.onOnline);
  }

  disconnect() {
    clearTimeout(this.timer);
    this.element.removeEventListener("submit", this.onSubmit, true);
    this.element.removeEventListener("htmx:error", this.onError);
    window.removeEventListener("online", this.onOnline);
  }

  /** The request never came to an answer: the vote is held here, with what was typed. */
  keepUnsent(event) {
    const { ctx } = event.detail;
    if (!this.pressed || !ctx || ctx.response || ctx.request?.method !== "POST") return;
    this.unsent = this.pressed;
    this.choiceTarget.textContent = this.unsent.dataset.keyLabel;
    this.lostTarget.hidden = false;
  }

  retry() {
    if (!this.unsent || !this.hasLostTarget) return;
    this.lostTarget.hidden = true;
    const again = this.unsent;
    this.unsent = undefined;
    again.click();
  }

  /** Enter in the field of the reason votes for nobody. */
  keep(event) {
    event.preventDefault();
    event.target.blur();
  }
}
