import { Controller } from "@hotwired/stimulus";

/** A second press that was meant for the row before must not become a vote on this one. */
const SETTLE_MS = 350;

/**
 * Blind review: votes wait a moment after a row appeared, and one that could not be sent is kept and sent again.
 * Targets: `form`, `vote` (the three buttons), `lost` and `signedOut` (the notices of an unsaved vote), `choice`
 * (which one it was), `still` (why sending it again did not help). `voter` tells whose votes the page casts.
 */
export default class extends Controller {
  static targets = ["form", "vote", "lost", "signedOut", "choice", "still"];
  static values = { voter: String };

  connect() {
    for (const button of this.voteTargets) button.disabled = true;
    this.timer = setTimeout(() => {
      for (const button of this.voteTargets) button.disabled = false;
    }, SETTLE_MS);
    this.onSubmit = (event) => {
      this.pressed = event.submitter ?? this.pressed;
    };
    this.onError = (event) => this.keepUnsent(event);
    this.onAnswer = (event) => this.keepRefused(event);
    this.onOnline = () => this.retry();
    this.element.addEventListener("submit", this.onSubmit, true);
    this.element.addEventListener("htmx:error", this.onError);
    this.element.addEventListener("htmx:before:response", this.onAnswer);
    window.addEventListener("online", this.onOnline);
  }

  disconnect() {
    clearTimeout(this.timer);
    this.element.removeEventListener("submit", this.onSubmit, true);
    this.element.removeEventListener("htmx:error", this.onError);
    this.element.removeEventListener("htmx:before:response", this.onAnswer);
    window.removeEventListener("online", this.onOnline);
  }

  /** The request never came to an answer: the vote is held here, with what was typed. */
  keepUnsent(event) {
    const { ctx } = event.detail;
    if (!this.pressed || !ctx || ctx.response || ctx.request?.method !== "POST") return;
    this.hold(this.lostTarget);
  }

  /** Signed out meanwhile: neither the sign-in page nor an error takes the place of the vote. */
  keepRefused(event) {
    const { ctx } = event.detail;
    if (!this.pressed || ctx.request?.method !== "POST") return;
    const { status, headers, raw } = ctx.response;
    const away = headers.has("HX-Redirect") || raw.redirected;
    if (!away && status !== 403) return;
    if (away) event.preventDefault();
    this.hold(this.signedOutTarget);
  }

  hold(notice, why = "") {
    this.unsent = this.pressed;
    for (const choice of this.choiceTargets) choice.textContent = this.unsent.dataset.keyLabel;
    this.stillTarget.textContent = why;
    this.hideNotices();
    notice.hidden = false;
  }

  hideNotices() {
    this.lostTarget.hidden = true;
    this.signedOutTarget.hidden = true;
  }

  retry() {
    if (!this.unsent || !this.hasLostTarget) return;
    this.hideNotices();
    const again = this.unsent;
    this.unsent = undefined;
    again.click();
  }

  /** After a sign-in elsewhere the form's token is an old one, and somebody else's sides may be swapped. */
  async sendAgain() {
    if (!this.unsent) return;
    let page;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      page = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {
      this.hold(this.lostTarget);
      return;
    }
    const voter = page.querySelector("#blind")?.dataset.blindVoterValue;
    const token = page.querySelector('meta[name="csrf-token"]')?.content;
    if (!voter || !token) {
      this.hold(this.signedOutTarget, "You are still signed out.");
    } else if (voter !== this.voterValue) {
      this.hold(this.signedOutTarget, "Somebody else is signed in now: sign in as yourself.");
    } else {
      document.querySelector('meta[name="csrf-token"]').content = token;
      this.formTarget.elements.csrfmiddlewaretoken.value = token;
      this.retry();
    }
  }

  /** Enter in the field of the reason votes for nobody. */
  keep(event) {
    event.preventDefault();
    event.target.blur();
  }
}
