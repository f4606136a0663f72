// The draft: kept in this browser at once, on the server when typing pauses, and asked about when two differ.
import { notify } from "../notices.js";
import { ApiError } from "./api.js";
import { BrowserCopy, same } from "./browser_copy.js";
import { chooseDraft } from "./choosing.js";
import { debounced, el } from "./dom.js";
import { newId } from "./stream.js";
import { timeOf } from "./words.js";

const ME = "drafts";
const WAIT_MS = 700;
const RETRY_MS = [2_000, 5_000, 15_000];
/** What a browser sends after its page is gone is at most 64 KiB, headers and all. */
const MAX_PARTING_BYTES = 60_000;

class Drafts {
  constructor(context) {
    this.context = context;
    this.revision = context.boot.revision;
    this.savedAt = context.boot.kept.saved_at;
    this.page = newId();
    this.follows = null;
    this.turn = 0;
    this.unsaved = false;
    this.failures = 0;
    this.copy = new BrowserCopy(`draft ${context.boot.kept.owner} ${context.boot.urls.draft}`);
    this.later = debounced(() => this.send(), WAIT_MS);
    this.state = context.root.querySelector("#wbs-state");
    this.discardButton = context.root.querySelector("#wbs-discard");
  }

  get store() {
    return this.context.store;
  }

  start() {
    this.restore();
    const listen = (target, event, heard) => {
      target.addEventListener(event, heard);
      return () => target.removeEventListener(event, heard);
    };
    this.channel = "BroadcastChannel" in window ? new BroadcastChannel(this.copy.key) : null;
    this.undo = [
      listen(this.store, "change", ({ detail }) => this.heard(detail)),
      listen(window, "pagehide", () => this.part()),
      listen(window, "online", () => this.unsaved && this.send()),
      listen(document, "visibilitychange", () => this.lookAround()),
      listen(window, "pageshow", ({ persisted }) => persisted && this.lookAround()),
      listen(this.discardButton, "click", () => this.discard()),
      () => this.channel?.close(),
      () => this.later.flush(),
      () => clearTimeout(this.retry),
    ];
    if (this.channel) this.undo.push(listen(this.channel, "message", () => this.follow()));
    this.showState();
    return () => this.undo.forEach((step) => step());
  }

  /** Titles are only what the columns are called: nothing of the document changed. */
  heard({ by, parts }) {
    if (by !== ME && parts.some((part) => part !== "titles")) this.changed();
  }

  changed() {
    this.unsaved = true;
    this.copy.write(this.store.document, this.revision, this.page);
    this.say("Saving…");
    this.later();
  }

  // --- to the server ---

  async send() {
    this.later.cancel();
    clearTimeout(this.retry);
    if (this.sending || this.asking || !this.unsaved) return;
    this.sending = true;
    this.unsaved = false;
    try {
      const answer = await this.context.api.put("draft", this.body());
      this.kept(answer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.unsaved = true;
      this.failed(error);
    } finally {
      this.sending = false;
    }
    if (this.unsaved && !this.failures) this.later();
  }

  body() {
    this.turn += 1;
    const { revision, page, turn, follows } = this;
    return { document: this.store.document, revision, page, turn, follows };
  }

  kept(answer) {
    if (!answer?.revision) throw new ApiError(401, { detail: "You are signed out." });
    this.revision = answer.revision;
    this.savedAt = answer.saved_at;
    this.failures = 0;
    if (this.unsaved) this.copy.write(this.store.document, this.revision, this.page);
    else this.copy.clear();
    this.channel?.postMessage(this.revision);
    this.showState();
    this.tellLatest(answer.latest);
  }

  /** Whoever saved a version meanwhile, it is heard of with the next pause of the typing. */
  tellLatest(latest) {
    this.context.root.dispatchEvent(new CustomEvent("workbench:latest", { detail: latest }));
  }

  failed(error) {
    this.failures += 1;
    if (error.body.code === "draft_changed_elsewhere") {
      this.conflict(error.body);
      return;
    }
    const waits = error.status === 0 || error.status >= 500;
    const why = waits
      ? "the server cannot be reached"
      : error.status === 401
        ? "you are signed out"
        : error.message;
    const where = this.copy.works ? "; kept in this browser" : "";
    this.say(`Not saved: ${why}${where}`, "bad");
    if (waits || error.status === 401) {
      const wait = RETRY_MS[Math.min(this.failures, RETRY_MS.length) - 1];
      this.retry = setTimeout(() => this.send(), wait);
    }
  }

  /** The page goes: what is not on the server yet is sent along, as far as a browser takes it. */
  part() {
    this.context.flush();
    if (!this.unsaved && !this.sending) return;
    this.copy.write(this.store.document, this.revision, this.page);
    const body = this.body();
    if (new Blob([JSON.stringify(body)]).size > MAX_PARTING_BYTES) return;
    this.context.api.put("draft", body, { keepalive: true }).catch(() => {});
  }

  // --- two drafts ---

  /** What this browser kept when the page or the network went away, unless the server has the same. */
  restore() {
    const here = this.copy.read();
    if (!here) return;
    if (same(here.document, this.store.document)) {
      this.copy.clear();
    } else if (here.revision === this.revision) {
      this.follows = here.page ?? null;
      this.put(here.document);
      this.restored = structuredClone(here.document);
      this.unsaved = true;
      this.send();
      notify({ detail: `What you typed until ${timeOf(here.changed_at)} is back.` });
    } else {
      const theirs = { document: this.store.document, revision: this.revision, saved_at: this.savedAt };
      this.put(here.document);
      this.unsaved = true;
      this.conflict(theirs, here.changed_at);
    }
  }

  put(document) {
    this.store.replace(ME, structuredClone(document));
  }

  async conflict(theirs, changedAt = new Date().toISOString()) {
    const other = theirs.document;
    if (this.isOwn(other)) {
      // What this browser itself sent last, before the page was loaded again.
      this.revision = theirs.revision;
      this.failures = 0;
      this.send();
      return;
    }
    this.asking = true;
    this.say("Not saved: the draft was changed elsewhere", "bad");
    const choice = await chooseDraft(this.context, {
      theirs: other ? `saved ${timeOf(theirs.saved_at)}` : null,
      mine: `typed until ${timeOf(changedAt)}`,
    });
    this.asking = false;
    if (choice === null) {
      this.state.append(
        " ",
        this.button("Choose…", () => this.conflict(theirs, changedAt)),
      );
      return;
    }
    this.revision = theirs.revision;
    this.failures = 0;
    await this.chosen(choice, other);
  }

  isOwn(other) {
    return other && (same(other, this.store.document) || (this.restored && same(other, this.restored)));
  }

  async chosen(choice, other) {
    const mine = this.store.document;
    if (choice === "theirs") {
      this.put(other ?? (await this.context.api.get("draft")).document);
      this.unsaved = false;
      this.copy.clear();
      this.showState();
    } else {
      this.unsaved = true;
      this.send();
    }
    const aside = choice === "theirs" ? mine : other;
    if (!aside) return;
    this.context.offerUndo("The other draft is set aside.", () => {
      this.put(aside);
      this.changed();
    });
  }

  /** Another tab has kept something: follow it, unless something was typed here meanwhile. */
  async follow() {
    if (this.unsaved || this.sending || this.asking) return;
    try {
      const found = await this.context.api.get("draft");
      if (this.unsaved || this.sending || !found || found.revision <= this.revision) return;
      this.revision = found.revision;
      this.savedAt = found.saved_at;
      if (!same(found.document, this.store.document)) this.put(found.document);
      this.showState();
      this.tellLatest(found.latest);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  /** Left: send at once. Come back: look what another machine has kept meanwhile, and which version is newest. */
  async lookAround() {
    this.context.flush();
    if (document.hidden || this.unsaved) {
      this.send();
      return;
    }
    try {
      const found = await this.context.api.get("draft");
      if (!found) return;
      this.tellLatest(found.latest);
      if (found.revision > this.revision) await this.follow();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  // --- discarding ---

  async discard() {
    this.context.flush();
    const before = structuredClone(this.store.document);
    try {
      const fresh = await this.context.api.delete("draft");
      this.revision = fresh.revision;
      this.savedAt = null;
      this.unsaved = false;
      this.copy.clear();
      this.put({ ...fresh.document, values: before.values });
      this.showState();
      this.channel?.postMessage(this.revision);
      this.context.offerUndo("The draft is discarded.", () => {
        this.put(before);
        this.changed();
      });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      notify({ level: "danger", title: "The draft is not discarded", detail: error.message });
    }
  }

  // --- words ---

  showState() {
    this.discardButton.hidden = this.savedAt === null;
    if (this.unsaved) this.say("Saving…");
    else this.say(this.savedAt ? `Draft saved ${timeOf(this.savedAt)}` : "");
  }

  say(sentence, level = "") {
    if (this.state.textContent !== sentence) this.state.textContent = sentence;
    this.state.dataset.level = level;
  }

  button(text, click) {
    return el("button", { type: "button", class: "btn btn-sm", text, on: { click } });
  }
}

/** `context.drafts.send()` keeps what there is now. */
export function mountDrafts(context) {
  context.drafts = new Drafts(context);
  return context.drafts.start();
}
