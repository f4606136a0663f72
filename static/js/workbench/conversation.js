// Conversation mode: several turns with the selected column's prompt, kept on the server turn by turn.
import { ApiError } from "./api.js";
import { SaveAsExample } from "./conversation_saving.js";
import { isUnderWay } from "./conversation_turns.js";
import { WindowPanel } from "./conversation_window.js";
import { announce, debounced, el } from "./dom.js";
import { placeParts } from "./layout.js";
import { ModeSwitch } from "./mode_switch.js";
import { stopCall } from "./run.js";
import { placeWords } from "./running.js";
import { TurnLog } from "./turn_log.js";
import { notify } from "../notices.js";

const ME = "conversation";
const ENDS = ["done", "failed", "cancelled"];
/** In case an event was lost; only while an answer is coming. */
const POLL_MS = 4000;

class ConversationMode {
  constructor(context, place) {
    this.context = context;
    this.place = place;
    this.storage = `workbench-conversation:${context.boot.urls.conversations}`;
    this.cut = null;
    this.log = new TurnLog(this.acts());
    this.window = new WindowPanel(context, {
      change: (settings) => (this.changing = this.change(settings)),
    });
    this.saving = new SaveAsExample(context, () => this.conversation);
    this.build();
    this.refresh = debounced(() => this.fetch(), 150);
    this.undo = [...this.follow(), () => clearTimeout(this.timer)];
    this.switch = new ModeSwitch(context.root.querySelector("#wb-mode"), (on) => this.show(on));
    if (this.kept.open) this.show(true);
  }

  /** The document is kept a moment later, so a reload right now would bring an older conversation back. */
  get kept() {
    const kept = sessionStorage.getItem(this.storage);
    return { ...this.context.store.document.conversation, ...(kept ? JSON.parse(kept) : {}) };
  }

  keep(change) {
    sessionStorage.setItem(this.storage, JSON.stringify({ ...this.kept, ...change }));
    this.context.store.change(ME, ["conversation"], (document) => {
      document.conversation = { ...document.conversation, ...change };
    });
  }

  build() {
    this.list = el("select", { class: "form-select form-select-sm", "aria-label": "Conversations" });
    this.list.addEventListener("change", () => this.open(this.list.value || null));
    this.input = el("textarea", {
      class: "form-control",
      rows: "3",
      "aria-label": "Your turn",
      placeholder: "Your turn. Ctrl or ⌘ with Enter sends it.",
    });
    this.input.addEventListener("input", () => this.typed());
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.sendButton = el("button", {
      type: "button",
      class: "btn btn-primary",
      text: "Send",
      on: { click: () => this.send() },
    });
    this.stopButton = el("button", {
      type: "button",
      class: "btn",
      text: "Stop",
      hidden: true,
      on: { click: () => this.stop() },
    });
    this.note = el("p", { class: "form-hint", role: "status" });
    this.problem = el("div", { class: "wb-errors", hidden: true });
    this.place.replaceChildren(
      el("div", { class: "wb-talk-head" }, el("h2", { class: "wb-title", text: "Conversation" }), this.list),
      this.log.element,
      this.window.element,
      this.problem,
      this.input,
      el("div", { class: "wb-talk-go" }, this.sendButton, this.stopButton, this.note),
      this.saving.element,
    );
  }

  show(on) {
    const { root } = this.context;
    this.switch.show(on);
    this.place.hidden = !on;
    root.dataset.mode = on ? "conversation" : "one";
    placeParts(this.context);
    for (const id of ["#wb-outputs", "#wb-run"]) {
      const element = root.querySelector(id);
      if (element) element.hidden = on;
    }
    if (on !== Boolean(this.kept.open)) {
      this.keep({ open: on });
      if (on) this.input.focus();
    }
    if (on && !this.loaded) {
      this.loaded = true;
      this.load();
    }
    if (on) this.fill();
  }

  follow() {
    const { stream, store, checks } = this.context;
    const ours = (event) => event.purpose === "turn" && this.conversation;
    return [
      stream.on("text", (event) => event.purpose === "turn" && this.log.append(event)),
      ...[...ENDS, "conversation", "started"].map((type) =>
        stream.on(type, (event) => ours(event) && this.refresh()),
      ),
      store.on(["selected", "model", "messages"], () => this.fill()),
      checks.on(() => this.fill()),
    ];
  }

  async load() {
    this.draw(null);
    await this.loadList();
    if (this.kept.id) await this.open(this.kept.id);
  }

  async loadList() {
    await this.asking(async () => {
      const { conversations } = await this.context.api.get("conversations");
      this.list.replaceChildren(
        el("option", { value: "", text: "New conversation" }),
        ...conversations.map(({ id, title, turns }) =>
          el("option", { value: id, text: `${title || "Without a title"} (${turns})` }),
        ),
      );
      this.list.value = this.conversation?.id ?? "";
    });
  }

  async open(id) {
    this.cut = null;
    if (id !== (this.kept.id ?? null)) this.keep({ id });
    if (!id) {
      this.draw(null);
      return;
    }
    await this.fetch();
  }

  async fetch() {
    const { id } = this.kept;
    if (!id) return;
    try {
      this.draw(await this.context.api.get("conversation", { parts: { id } }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404) this.open(null);
      else this.poll();
    }
  }

  /** Draw what the server says; null: a conversation that has not begun. */
  draw(conversation) {
    const wasUnderWay = isUnderWay(this.conversation?.turns.at(-1));
    this.conversation = conversation;
    this.log.show(conversation);
    if (conversation) this.window.show(conversation);
    else this.window.usage = null;
    this.list.value = conversation?.id ?? "";
    const busy = isUnderWay(conversation?.turns.at(-1));
    this.stopButton.hidden = !busy;
    this.sendButton.disabled = busy;
    if (wasUnderWay && !busy) announce(this.context, "The answer is there.");
    if (busy) {
      this.context.stream.open();
      this.poll();
    } else clearTimeout(this.timer);
    this.fill();
  }

  poll() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), POLL_MS);
  }

  acts() {
    return {
      edit: (turn) => this.edit(turn),
      retry: (turn) => this.say({ cut: turn.position }),
      remove: (turn) => this.remove(turn),
      answerTools: (answers) => this.say({ tool_answers: answers }),
      retryWith: (turn, policy) => this.retryWith(turn, policy),
    };
  }

  typed() {
    this.fill();
    this.problem.hidden = true;
  }

  fill() {
    if (!this.place.hidden) this.window.showFill(this.input.value);
  }

  onKey(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.send();
    } else if (event.key === "Escape" && this.cut !== null) {
      event.preventDefault();
      this.cut = null;
      this.note.textContent = "";
      this.input.value = "";
      this.typed();
    }
  }

  edit(turn) {
    this.cut = turn.position;
    this.input.value = turn.content;
    this.note.textContent = `Sending replaces turn ${turn.position + 1} and what follows it. Escape leaves it as it is.`;
    this.input.focus();
    this.typed();
  }

  async remove(turn) {
    const body = { revision: this.conversation.revision, cut: turn.position };
    await this.asking(async () => {
      const { api } = this.context;
      this.draw(await api.delete("conversation_turns", { parts: { id: this.conversation.id }, body }));
    });
  }

  async send() {
    const text = this.input.value;
    if (this.sendButton.disabled) return;
    if (await this.say({ text, ...(this.cut === null ? {} : { cut: this.cut }) })) {
      this.input.value = "";
      this.cut = null;
      this.note.textContent = "";
      this.fill();
    }
  }

  /** True when it was taken; what was typed stays otherwise. */
  async say(said) {
    const { api, page, root, store, stream } = this.context;
    this.context.flush();
    this.window.flush();
    this.sendButton.disabled = true;
    await this.changing; // what was chosen a moment ago holds for this turn
    const taken = await this.asking(async () => {
      stream.open();
      if (!this.conversation) {
        this.conversation = await api.post("conversation_new", this.window.settings());
        this.keep({ id: this.conversation.id });
      }
      const { id, base, typed } = store.selected;
      const begins = this.conversation.revision === 0;
      const body = {
        page,
        column: { id, base, typed },
        values: store.document.values,
        revision: this.conversation.revision,
        keep: root.querySelector("#wb-keep")?.checked ?? false,
        ...said,
      };
      this.draw(await api.post("conversation_turns", body, { parts: { id: this.conversation.id } }));
      this.log.toEnd();
      if (begins) this.loadList();
    });
    if (!taken) this.sendButton.disabled = isUnderWay(this.conversation?.turns.at(-1));
    return taken;
  }

  async retryWith(turn, policy) {
    const window = this.conversation.usage.window;
    const told = turn.told_window;
    // The provider knows better than we do what its window is.
    const settings = { policy, ...(told && (!window || told < window) ? { window: told } : {}) };
    if (!told && !window) {
      this.tell(["Type the size of the model's window below: the provider did not say it."]);
      this.window.window.focus();
      return;
    }
    await this.change(settings);
    await this.say({ cut: turn.position });
  }

  async change(settings) {
    if (!this.conversation) {
      this.fill();
      return;
    }
    await this.asking(async () => {
      const parts = { id: this.conversation.id };
      this.draw(await this.context.api.post("conversation_settings", settings, { parts }));
    });
  }

  stop() {
    const last = this.conversation?.turns.at(-1);
    const call = last?.call ?? last?.summary_call;
    if (call) this.asking(() => stopCall(this.context, call.id));
  }

  async asking(act) {
    this.problem.hidden = true;
    try {
      await act();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.refused(error);
      return false;
    }
  }

  refused(error) {
    const places = Object.entries(error.body.errors ?? {}).map(
      ([place, texts]) => `${placeWords(place)}: ${texts.join(" ")}`,
    );
    if (error.body.code === "conversation_moved") {
      notify({ level: "warning", title: error.body.title, detail: error.message });
      this.fetch();
      return;
    }
    this.tell(places.length ? places : [error.message]);
  }

  tell(sentences) {
    this.problem.hidden = false;
    this.problem.replaceChildren(...sentences.map((text) => el("p", { class: "wb-error", text })));
    announce(this.context, sentences[0]);
  }
}

export function mountConversation(context) {
  const place = context.root.querySelector("#wb-conversation");
  if (!place || !context.stream || !context.boot.urls.conversations) return undefined;
  const mode = new ConversationMode(context, place);
  return () => mode.undo.forEach((step) => step());
}
