// The one item at hand, and the way forward and back.
import { exchange, laterWhy } from "./exchange.js";
import { missing, said } from "./form_values.js";
import { newId } from "./records.js";
import { Work } from "./work.js";

/** A lease may have run out after so long without a sign of life. */
const LEASE_MS = 9 * 60_000;
const SLOW_MS = 500;
const LOST = new Set([404, 409, 410]);

/**
 * Events: "show" when another item is at hand, or none; "changed" when it was answered; "sent" after a submit or a
 * skip, with the entry; "words" with a sentence for whoever is at the page.
 */
export class Session extends EventTarget {
  constructor({ boot, addresses, outbox, locks, past }) {
    super();
    Object.assign(this, { boot, addresses, outbox, locks, past });
    this.current = null;
    this.done = [];
    this.passedBy = [];
    outbox.addEventListener("refused", ({ detail }) => this.refused(detail));
    outbox.addEventListener("sent", ({ detail }) => this.kept(detail));
  }

  begin(hand) {
    this.hand = hand;
    hand.addEventListener("came", () => this.current ?? this.next());
    return hand.fill();
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  words(sentence) {
    this.tell("words", sentence);
  }

  show(work) {
    this.current?.lookAway();
    this.current = work;
    work?.look();
    this.tell("show");
  }

  next() {
    this.show(this.hand.take());
    this.hand.fill();
  }

  // --- answering ------------------------------------------------------------------------------

  answer(key, value) {
    const work = this.current;
    if (!work) return;
    work.set(key, value);
    work.look();
    work.problem = "";
    this.keep(work);
    this.tell("changed", key);
  }

  keep(work) {
    work.revision += 1;
    const body = { values: { ...work.values }, revision: work.revision };
    const entry = { annotation: work.id, lease: work.lease, body };
    // Of one that was taken back the server may have the submit already, and a lost one it keeps nothing of.
    if (work.reopen || work.lost) this.outbox.keepHere(entry);
    else this.outbox.keep(entry);
  }

  kept({ entry, answer }) {
    const work = [this.current, ...(this.hand?.ahead ?? [])].find((one) => one?.id === entry.annotation);
    if (entry.kind !== "keep" || !work) return;
    work.heldAt = Date.now();
    work.revision = Math.max(work.revision, answer?.revision ?? 0);
  }

  // --- going on -------------------------------------------------------------------------------

  submit() {
    const work = this.current;
    if (!work) return;
    const lacking = missing(this.boot.form, work.values);
    if (lacking) {
      this.tell("missing", lacking);
      return;
    }
    const body = { submit_id: newId(), values: { ...work.values }, active_ms: this.activeMs(work) };
    this.send(work, { kind: "submit", body, said: said(this.boot.form, work.values) });
  }

  /** @param {"later"|"conflict"} kind */
  skip(kind, reason) {
    const work = this.current;
    if (!work) return;
    if (this.isOpenAgain) {
      this.words(
        "This one is submitted already. Change it and press Enter, or Escape to leave it as it was.",
      );
      return;
    }
    this.send(work, { kind: "skip", body: { kind, reason }, said: [] });
  }

  activeMs(work) {
    work.lookAway();
    return Math.round(work.activeMs);
  }

  send(work, entry) {
    const { id: annotation, lease, reopen, title, pair } = work;
    const added = this.outbox.add({
      ...entry,
      annotation,
      lease,
      reopen,
      title,
      pair,
      queue: this.boot.queue.slug,
    });
    this.returnToTheEnd();
    this.done.push({ given: work.given, values: { ...work.values }, kind: entry.kind, entry: added.id });
    this.locks.leave(work.id);
    this.next();
    this.tell("sent", added);
  }

  // --- going back -----------------------------------------------------------------------------

  /** To the one before, open for a change. Undo and "go back" are the same. */
  async back() {
    if (this.going) return;
    this.going = true;
    const slow = setTimeout(() => this.words("Getting it back…"), SLOW_MS);
    try {
      if (this.isOpenAgain && !this.mayLeave()) return;
      const last = this.done.pop() ?? (await this.past.older(this.known()));
      if (!last || last.why) {
        this.words(last?.why ?? "There is nothing before this one.");
        return;
      }
      if (this.isOpenAgain) this.passedBy.push(this.leave());
      if (!(last.entry && (await this.withdrawn(last)))) await this.reopen(last);
    } finally {
      clearTimeout(slow);
      this.going = false;
    }
  }

  /** Escape and →: on to where one was, and what was opened again stays as it was sent. */
  leaveAsItWas() {
    if (!this.isOpenAgain) return;
    this.returnToTheEnd();
    this.done.push(this.leave());
    this.next();
  }

  /** At hand is one that was sent before. */
  get isOpenAgain() {
    return Boolean(this.current?.reopened || this.current?.withdrawn);
  }

  mayLeave() {
    if (!this.current.changed) return true;
    this.words("You changed this one. Enter submits the change, Escape leaves it as it was.");
    return false;
  }

  leave() {
    const work = this.current;
    this.outbox.dropKept(work.id);
    const entry = work.withdrawn ? this.outbox.add(work.withdrawn) : null;
    // Ours until the server has let it go, or it would be given again as the next one.
    const gone = entry ?? exchange("POST", this.addresses.of("release", work.id), { lease: work.lease });
    Promise.resolve(gone).then(() => this.locks.leave(work.id));
    this.current = null;
    return { given: work.given, values: work.before, kind: entry?.kind ?? "submit", entry: entry?.id };
  }

  /** What was passed on the way back lies before us again. */
  returnToTheEnd() {
    this.done.push(...this.passedBy.reverse());
    this.passedBy = [];
  }

  known() {
    return new Set([...this.hand.ids(), ...this.passedBy.map((one) => one.given.annotation.id)]);
  }

  /** What was not sent yet needs no network to come back. */
  async withdrawn(last) {
    const entry = await this.outbox.withdraw(last.entry);
    if (!entry) return false;
    const reopen = entry.tries > 0 || entry.reopen;
    await this.open(new Work(last.given, { values: last.values, reopen, withdrawn: entry }));
    return true;
  }

  async reopen(last) {
    await this.locks.take(last.given.annotation.id);
    const { status, body } = await exchange(
      "POST",
      this.addresses.of("reopen", last.given.annotation.id),
      {},
    );
    if (status === 200) {
      const given = { ...body, number: last.given.number };
      await this.open(new Work(given, { reopened: last.kind === "submit" }));
      return;
    }
    this.locks.leave(last.given.annotation.id);
    if (laterWhy(status)) this.done.push(last);
    this.words(
      laterWhy(status)
        ? "The server cannot be reached: what it has already can be taken back when it can."
        : (body.detail ?? "This one cannot be opened again."),
    );
    if (this.current) return;
    this.returnToTheEnd();
    this.next();
  }

  async open(work) {
    await this.locks.take(work.id);
    if (this.current) this.hand.putBack(this.current);
    this.show(work);
  }

  // --- a lease that was lost ------------------------------------------------------------------

  refused({ entry, answer }) {
    if (entry.kind !== "keep") return;
    if (LOST.has(answer.status)) this.notHeld(entry.annotation, answer.detail);
    else if (this.current?.id === entry.annotation) {
      this.current.problem = answer.detail ?? "";
      this.tell("changed");
    }
  }

  /** After an absence that was longer than a lease it is asked for again without a word; else it is open elsewhere. */
  async notHeld(annotation, detail) {
    const work = this.current;
    if (work?.id === annotation && Date.now() - work.heldAt > LEASE_MS && (await this.takeUp())) return;
    this.lose(annotation, detail);
  }

  /** What was typed stays on the page; an item that nobody looked at is simply not there any more. */
  lose(annotation, detail = "") {
    if (this.current?.id !== annotation) {
      this.hand.drop(annotation);
      this.hand.fill();
      return;
    }
    Object.assign(this.current, { lost: true, problem: detail });
    this.outbox.dropKept(annotation);
    if (this.current.changed) this.keep(this.current);
    this.tell("changed");
  }

  /** Ask for the place again, and put what was typed into it. */
  async takeUp() {
    const work = this.current;
    const { status, body } = await exchange("POST", this.addresses.of("reopen", work.id), {});
    if (status !== 200) {
      work.problem = laterWhy(status) ? "The server cannot be reached. Try again." : (body.detail ?? "");
      this.tell("changed");
      return false;
    }
    const { lease, revision } = body.annotation;
    Object.assign(work, { lease, revision, heldAt: Date.now(), lost: false, problem: "" });
    this.outbox.dropKept(work.id);
    this.keep(work);
    this.tell("changed");
    return true;
  }

  /** Leave a lost one behind: its answers are kept with what was refused, to be read or copied. */
  giveUp() {
    const work = this.current;
    const { id: annotation, title, values } = work;
    const entry = { kind: "submit", annotation, title, said: said(this.boot.form, values), body: { values } };
    const answer = { status: 409, detail: work.problem || "Its place was given to somebody else." };
    if (entry.said.length) this.outbox.refuse({ ...entry, id: newId(), queue: this.boot.queue.slug }, answer);
    this.outbox.dropKept(work.id);
    this.locks.leave(work.id);
    this.current = null;
    this.next();
  }

  /** What the server did not take, with its answers, for another try. */
  async openRefused(entry) {
    const { status, body } = await exchange("POST", this.addresses.of("reopen", entry.annotation), {});
    if (status !== 200) {
      this.words(laterWhy(status) ? "The server cannot be reached. Try again." : (body.detail ?? ""));
      return;
    }
    this.outbox.dismiss(entry.id);
    await this.open(new Work(body, { values: entry.body?.values ?? body.annotation.values }));
  }
}
