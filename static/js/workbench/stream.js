// The page's event stream: what happens to its calls, as it happens; after a reload it goes on where it was.
import { notify } from "../notices.js";

const ENDS = new Set(["done", "failed", "cancelled"]);
/** Waits before a further try where the browser gave up by itself, in milliseconds. */
const AGAIN_AFTER = [1000, 2000, 4000, 8000, 15000];
/** So long after the last event the stream is closed if nothing is under way: a browser has few connections. */
const QUIET_MS = 45_000;
/** A connection that comes back within this time is not worth a word. */
const SAY_SO_AFTER = 3000;

/** A random UUID, also where the page came over plain HTTP and the browser has no randomUUID. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/**
 * Events by type, each {call, column, batch, purpose, type, …}: "started", "waiting" (for a free place at the
 * provider), "text" ({text, from}), "done", "failed" and "cancelled" (with the whole call), "trial" and what other
 * rooms publish; and of the stream itself: "connection" ({state: "open" | "lost" | "closed"}), "resumed" ({calls}).
 */
export class PageStream extends EventTarget {
  /**
   * @param {(query: Record<string, string>) => string} address of the stream, with these query values
   * @param {() => Promise<boolean>} isNeeded whether a call of the page is under way
   */
  constructor(page, address, isNeeded) {
    super();
    this.page = page;
    this.address = address;
    this.isNeeded = isNeeded;
    this.lastId = "";
    this.ended = new Set();
    this.lengths = new Map();
    this.tries = 0;
  }

  /** Call `listener(event)` at each event of this type, or "*" for all; returns what stops that. */
  on(type, listener) {
    const hear = ({ detail }) => listener(detail);
    this.addEventListener(type, hear);
    return () => this.removeEventListener(type, hear);
  }

  emit(event) {
    this.dispatchEvent(new CustomEvent(event.type, { detail: event }));
    this.dispatchEvent(new CustomEvent("*", { detail: event }));
  }

  /** Follow the stream from now on; once is enough. */
  open() {
    this.#listenOn();
    if (this.source) return;
    const query = this.lastId ? { page: this.page, after: this.lastId } : { page: this.page };
    this.source = new EventSource(this.address(query));
    this.source.onopen = () => this.#found();
    this.source.onmessage = (message) => this.#take(message);
    this.source.onerror = () => this.#lost();
  }

  close() {
    clearTimeout(this.again);
    clearTimeout(this.saying);
    clearTimeout(this.resting);
    this.source?.close();
    this.source = null;
  }

  /** Until it has been quiet for a while, and nothing is under way; the next run opens the stream again. */
  #listenOn() {
    clearTimeout(this.resting);
    this.resting = setTimeout(async () => {
      const asked = this.resting;
      const needed = await this.isNeeded().catch(() => true);
      if (this.resting !== asked) return; // something came, or was begun, meanwhile
      if (needed) this.#listenOn();
      else this.close();
    }, QUIET_MS);
  }

  /** Nothing more is to be told of these calls: they ended before this page looked. */
  forget(callIds) {
    for (const id of callIds) this.ended.add(id);
  }

  #take(message) {
    this.#listenOn();
    this.lastId = message.lastEventId || this.lastId;
    const event = JSON.parse(message.data);
    if (event.type === "closed") {
      this.close();
      this.emit({ type: "connection", state: "closed" });
      notify({
        level: "warning",
        title: "This page is no longer followed",
        detail: "You are signed out, or no longer a member of the project. Your text is still here.",
      });
      return;
    }
    if (event.call && this.ended.has(event.call)) return;
    if (event.type === "text" && !this.#isNext(event)) return;
    if (ENDS.has(event.type)) this.ended.add(event.call);
    this.emit(event);
  }

  /** False for a piece that came already, as a stream that is opened anew may tell again. */
  #isNext(event) {
    const known = this.lengths.get(event.call) ?? 0;
    if (event.from < known) return false;
    // Python counts characters, the browser UTF-16 units: count as the server does.
    this.lengths.set(event.call, event.from + [...event.text].length);
    return true;
  }

  #found() {
    clearTimeout(this.saying);
    if (this.said)
      notify({
        level: "success",
        title: "The connection is back",
        detail: "The page shows what happened meanwhile.",
      });
    this.saying = this.said = null;
    this.tries = 0;
    this.emit({ type: "connection", state: "open" });
  }

  #lost() {
    this.emit({ type: "connection", state: "lost" });
    this.saying ??= setTimeout(() => {
      this.said = true;
      notify({
        level: "warning",
        title: "The connection is lost",
        detail: "The page tries to reconnect. Answers go on for half a minute, and your text is kept.",
      });
    }, SAY_SO_AFTER);
    if (this.source?.readyState !== EventSource.CLOSED) return; // the browser itself tries again
    this.source = null;
    const wait = AGAIN_AFTER[Math.min(this.tries++, AGAIN_AFTER.length - 1)];
    this.again = setTimeout(() => this.open(), wait);
  }
}

/** Of each column, its newest run. */
function newestOfColumns(calls) {
  const runs = calls.filter((call) => call.purpose === "run");
  const batchOf = new Map(runs.map((call) => [call.column, call.batch]));
  return runs.filter((call) => batchOf.get(call.column) === call.batch);
}

const isUnfinished = (call) => ["pending", "running"].includes(call.status);

async function callsOf({ api, page }) {
  const { calls } = await api.get("calls", { query: { page } });
  return calls;
}

async function resume(context) {
  const { stream } = context;
  const calls = await callsOf(context);
  const unfinished = calls.filter(isUnfinished);
  stream.forget(calls.filter((call) => !unfinished.includes(call)).map((call) => call.id));
  if (calls.length) stream.emit({ type: "resumed", calls: newestOfColumns(calls) });
  if (unfinished.length) stream.open();
}

/** Sets `context.page` and `context.stream`; the stream is opened by the first run, or here if a call is under way. */
export function mountStream(context) {
  const { api, boot } = context;
  if (!boot.urls.stream) return null;
  const kept = `workbench-page:${boot.urls.stream}`;
  const known = sessionStorage.getItem(kept);
  context.page = known ?? newId();
  sessionStorage.setItem(kept, context.page);
  context.stream = new PageStream(
    context.page,
    (query) => api.url("stream", {}, query),
    async () => (await callsOf(context)).some(isUnfinished),
  );
  // The other parts are wired first, so that they hear of it.
  if (known)
    queueMicrotask(() => resume(context).catch((error) => console.warn("Calls of this page", error)));
  const leave = () => context.stream.close();
  const back = (event) => event.persisted && resume(context).catch(() => {});
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", back);
  return () => {
    window.removeEventListener("pagehide", leave);
    window.removeEventListener("pageshow", back);
    leave();
  };
}
