// One item in this page's hands: what was given, what was answered so far, and for how long it was looked at.
import { same } from "../workbench/browser_copy.js";

/** Who does nothing for so long looks at something else. */
const IDLE_MS = 60_000;

export class Work {
  /**
   * @param {object} given as the server gives it
   * @param {{values?: object, reopened?: boolean, reopen?: boolean, withdrawn?: object}} how `reopened`: it was
   * submitted before, and is open for a change; `reopen`: it may have been, so that sending it opens it first;
   * `withdrawn`: the entry that was taken out of the outbox
   */
  constructor(given, { values, reopened = false, reopen = false, withdrawn = null } = {}) {
    this.given = given;
    this.id = given.annotation.id;
    this.lease = given.annotation.lease;
    this.revision = given.annotation.revision;
    this.values = { ...(values ?? given.annotation.values) };
    this.reopened = reopened;
    this.reopen = reopen;
    this.withdrawn = withdrawn;
    this.before = { ...this.values };
    this.heldAt = Date.now();
    this.lost = false;
    this.problem = "";
    this.activeMs = 0;
    this.seen = 0;
  }

  get pair() {
    return this.given.item.content.answers.length > 1;
  }

  get title() {
    const { number } = this.given;
    return number ? `Item ${number}` : "An earlier item";
  }

  get changed() {
    return !same(this.values, this.before);
  }

  /** An answer, taken away where there is none: null, "" or nothing chosen. */
  set(key, value) {
    const none =
      value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length);
    if (none) delete this.values[key];
    else this.values[key] = value;
  }

  /** A sign that somebody is looking; the time since the last one counts, if it was not long ago. */
  look() {
    const now = performance.now();
    if (this.seen) this.activeMs += Math.min(now - this.seen, IDLE_MS);
    this.seen = now;
  }

  lookAway() {
    if (this.seen) this.look();
    this.seen = 0;
  }
}
