// The items that come next: one is always there before it is asked for.
import { exchange, laterWhy, whoIsHere } from "./exchange.js";
import { Work } from "./work.js";

const AGAIN_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
/** At the end of the queue, others may leave something. */
const LOOK_AGAIN_MS = 30_000;

/** Events: "came" when there is a next one, "state" when progress, `why` or `trouble` changed. */
export class Hand extends EventTarget {
  constructor({ boot, addresses, outbox, locks, current }) {
    super();
    Object.assign(this, { boot, addresses, outbox, locks, current });
    this.ahead = [];
    this.skipped = new Set();
    this.progress = null;
    this.why = null;
    this.nothing = false;
    this.trouble = "";
    this.problem = "";
    this.failures = 0;
    this.onOnline = () => this.fill();
    addEventListener("online", this.onOnline);
    outbox.addEventListener("sent", ({ detail: { entry } }) => entry.kind !== "keep" && this.fill());
  }

  close() {
    this.closed = true;
    removeEventListener("online", this.onOnline);
    clearTimeout(this.timer);
  }

  take() {
    return this.ahead.shift() ?? null;
  }

  putBack(work) {
    this.ahead.unshift(work);
  }

  drop(annotation) {
    this.ahead = this.ahead.filter((work) => work.id !== annotation);
    this.locks.leave(annotation);
  }

  say() {
    this.dispatchEvent(new Event("state"));
  }

  /** Ask until one is ahead of the one at hand; asked for while it asks, it looks once more. */
  fill() {
    clearTimeout(this.timer);
    this.wanted = true;
    this.filling ??= this.askAgain().finally(() => (this.filling = null));
    return this.filling;
  }

  async askAgain() {
    while (this.wanted && !this.closed) {
      this.wanted = false;
      await this.askAll();
    }
  }

  async askAll() {
    while (!this.closed && this.ahead.length < (this.current() ? 1 : 2)) {
      if (!(await this.ask())) return;
    }
  }

  /** @returns {Promise<boolean>} whether something came */
  async ask() {
    const holding = [...new Set([...(await this.locks.held()), ...this.ids(), ...this.unsent()])];
    const { status, body } = await exchange("POST", this.addresses.of("next"), { holding });
    if (status !== 200) return this.failed(status, body);
    this.failures = 0;
    Object.assign(this, {
      trouble: "",
      problem: "",
      progress: body.progress,
      why: body.given ? null : body.why,
      nothing: !body.given,
    });
    const came = body.given ? await this.add({ ...body.given, again: this.isAgain(body) }) : false;
    if (!body.given) this.again(LOOK_AGAIN_MS);
    this.say();
    return came;
  }

  /** Told once, when a skipped item is given again. */
  isAgain({ given, why }) {
    if (why === "only_skipped") this.skipped.add(given.annotation.id);
    return this.skipped.has(given.annotation.id);
  }

  unsent() {
    return this.outbox.waiting().map((entry) => entry.annotation);
  }

  ids() {
    return [this.current(), ...this.ahead].filter(Boolean).map((work) => work.id);
  }

  async add(given) {
    const { id } = given.annotation;
    // Skipped a moment ago and given again already: it is taken once the server's word on the skip is here.
    if (this.ids().includes(id) || this.unsent().includes(id)) return false;
    // Another tab of this browser was quicker: it is named among those held the next time.
    if (!(await this.locks.take(id))) return true;
    const unsaved = this.outbox.unsaved(id);
    const reopened = given.annotation.state === "submitted";
    this.ahead.push(new Work(given, { values: unsaved?.body.values, reopened }));
    this.dispatchEvent(new Event("came"));
    return true;
  }

  async failed(status, body) {
    let why = laterWhy(status);
    if (!why && [403, 404].includes(status)) {
      why = await whoIsHere(this.addresses, this.boot.user);
      if (why === "same") why = this.failures ? "" : "busy";
    }
    this.trouble = why || "refused";
    this.problem = body.detail ?? "";
    this.again(AGAIN_MS[Math.min(this.failures, AGAIN_MS.length - 1)]);
    this.failures += 1;
    this.say();
    return false;
  }

  again(wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fill(), wait);
  }
}
