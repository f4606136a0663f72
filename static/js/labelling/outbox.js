// What was decided and is not yet with the server. It survives a reload and a closed tab; one tab at a time sends,
// in order; the server knows each by its submit_id, so that one sent twice counts once.
import { newId } from "./records.js";

const BACKOFF_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000];
/** A server that fails so often on the same thing fails because of it. */
const MOST_FAILURES = 8;
/** Typing rests so long before it is sent. */
export const KEEP_AFTER_MS = 700;
const OUT = "out ";
const REFUSED = "refused ";
const TYPED = "typed ";

let counted = 0;
/** Ids whose order is the order in which they were made. */
const inOrder = () => `${String(Date.now()).padStart(15, "0")}-${String((counted += 1)).padStart(6, "0")}`;

/**
 * Events: "change"; "sent" and "refused" with {entry, answer} in `detail`, in every tab.
 * An entry: {id, kind: "keep"|"submit"|"skip", annotation, lease, body, tries, ...what the page adds}.
 */
export class Outbox extends EventTarget {
  /**
   * @param {import("./records.js").Records} records
   * @param {(entry: object) => Promise<{done?: object, later?: string, wait?: number, refused?: object}>} send
   */
  constructor(records, send) {
    super();
    this.records = records;
    this.send = send;
    this.why = "";
    this.failures = 0;
    this.channel = new BroadcastChannel(records.prefix);
    this.channel.onmessage = ({ data }) => this.tell(data.name, data.detail, { here: true });
    this.onStorage = (event) => event.key?.startsWith(records.prefix) && this.tell("change");
    this.onOnline = () => this.poke({ now: true });
    addEventListener("storage", this.onStorage);
    addEventListener("online", this.onOnline);
  }

  close() {
    removeEventListener("storage", this.onStorage);
    removeEventListener("online", this.onOnline);
    clearTimeout(this.timer);
    this.closed = true;
    this.channel.close();
  }

  tell(name, detail, { here = false } = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
    if (!here && detail && !this.closed) this.channel.postMessage({ name, detail });
  }

  entries() {
    return this.records.all(OUT).map(([, entry]) => entry);
  }

  refused() {
    return this.records.all(REFUSED).map(([, entry]) => entry);
  }

  /** What is counted as waiting: typing that is still going on is not. */
  waiting() {
    return this.entries().filter((entry) => entry.kind !== "keep");
  }

  unsaved(annotation) {
    return this.records.read(`${OUT}keep ${annotation}`) ?? this.records.read(TYPED + annotation);
  }

  /** Keep what was typed in this browser alone: for an item that the server would not keep it of. */
  keepHere(entry) {
    this.records.write(TYPED + entry.annotation, entry);
  }

  /** Keep what was typed, in place of what was kept for the item before. */
  keep(entry) {
    const id = `keep ${entry.annotation}`;
    this.records.write(OUT + id, {
      ...entry,
      id,
      kind: "keep",
      tries: 0,
      stamp: newId(),
      due: Date.now() + KEEP_AFTER_MS,
    });
    this.tell("change");
    this.poke();
  }

  /** @returns {object} the entry, which takes the place of what was only kept of its item */
  add(entry) {
    const added = { ...entry, id: inOrder(), tries: 0, stamp: newId() };
    this.records.write(OUT + added.id, added);
    this.dropKept(entry.annotation);
    this.poke({ now: true });
    return added;
  }

  /**
   * Take back what was not sent.
   * @returns {Promise<object|null>} the entry; null when the server has it. `tries` above 0: it may have it.
   */
  withdraw(id) {
    return this.alone(async () => {
      const entry = this.records.read(OUT + id);
      if (entry) this.records.drop(OUT + id);
      this.tell("change");
      return entry;
    });
  }

  dropKept(annotation) {
    this.records.drop(`${OUT}keep ${annotation}`);
    this.records.drop(TYPED + annotation);
    this.tell("change");
  }

  dismiss(id) {
    this.records.drop(REFUSED + id);
    this.tell("change");
  }

  /** Send what waits: now, or when the next is due. */
  poke({ now = false } = {}) {
    if (this.closed) return;
    clearTimeout(this.timer);
    if (now) this.failures = 0;
    const pause = this.failures ? BACKOFF_MS[Math.min(this.failures, BACKOFF_MS.length) - 1] : 0;
    const due = Math.min(...this.entries().map((entry) => entry.due ?? 0)) - Date.now();
    const wait = now ? 0 : Math.max(pause, this.asked ?? 0, Number.isFinite(due) ? due : 0);
    this.timer = setTimeout(() => this.drain(), wait);
  }

  async drain() {
    if (this.draining) return;
    this.draining = true;
    let step = "more";
    try {
      while (step === "more" && !this.closed) step = await this.alone(() => this.sendFirst());
    } finally {
      this.draining = false;
    }
    if (this.entries().length) this.poke();
  }

  /** One tab at a time; without Web Locks (no secure address) the server's own care must do. */
  alone(act) {
    if (navigator.locks) return navigator.locks.request(`${this.records.prefix}sends`, act);
    this.turn = (this.turn ?? Promise.resolve()).then(act, act);
    return this.turn;
  }

  async sendFirst() {
    const entry = this.entries().find((one) => !one.due || one.due <= Date.now());
    if (!entry) return "empty";
    const place = OUT + entry.id;
    if (entry.kind !== "keep") this.records.write(place, { ...entry, tries: entry.tries + 1 });
    const { done, later, wait = 0, refused } = await this.send(entry);
    const unchanged = this.records.read(place)?.stamp === entry.stamp;
    if (later) return this.wait(entry, later, wait, unchanged);
    this.arrived();
    if (unchanged) this.records.drop(place);
    if (refused) this.refuse(entry, refused);
    else this.tell("sent", { entry, answer: done });
    this.tell("change");
    return "more";
  }

  arrived() {
    this.why = "";
    this.failures = 0;
    this.asked = 0;
  }

  wait(entry, why, seconds, unchanged) {
    this.why = why;
    this.failures += 1;
    this.asked = seconds * 1000;
    const failing = why === "busy" && this.failures >= MOST_FAILURES && unchanged;
    if (failing) {
      this.records.drop(OUT + entry.id);
      this.arrived();
      this.refuse(entry, { detail: "The server fails each time it is sent this. Its log says why." });
    }
    this.tell("change");
    return "later";
  }

  /** What is only kept has no place among the refused: its item is told, and has the values. */
  refuse(entry, answer) {
    if (entry.kind !== "keep") this.records.write(REFUSED + entry.id, { ...entry, answer });
    this.tell("refused", { entry, answer });
  }
}
