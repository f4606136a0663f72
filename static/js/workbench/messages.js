// The messages of the selected column, as cards that are written, ordered, added and removed.
import { announce, debounced, el, icon } from "./dom.js";
import { MessageCard } from "./message_card.js";
import { makeMovable } from "./reorder.js";

const ME = "messages";
const emptyMessage = (role) => ({ role, content: "", name: "", tool_call_id: "", tool_calls: "" });

class Messages {
  constructor(context) {
    this.context = context;
    this.list = context.root.querySelector("#wb-messages");
    this.list.setAttribute("role", "list");
    this.list.setAttribute("aria-label", "Messages");
    this.cards = [];
    // Typing writes into the editors at once, and into the document when it pauses.
    this.write = debounced(() => this.writeDirty(), 200);
    context.pending.add(this.write);
    this.movable = makeMovable(this.list, (from, to) => this.move(from, to));
    this.undo = [
      context.store.on(["messages", "columns", "selected"], ({ by }) => by !== ME && this.draw()),
      context.checks.on((result, columnId) => this.showCheck(result, columnId)),
      () => this.movable(),
      () => this.cards.forEach((card) => card.destroy()),
    ];
    this.drawAdd();
    this.draw();
  }

  get messages() {
    return this.context.store.selected.typed.messages;
  }

  /** Cards whose messages are still the same objects stay as they are, with caret and undo history. */
  draw() {
    const kept = new Map(this.cards.map((card) => [card.message, card]));
    const cards = this.messages.map((message) => kept.get(message) ?? this.newCard(message));
    for (const card of this.cards) if (!cards.includes(card)) card.destroy();
    this.cards = cards;
    this.list.replaceChildren(...cards.map((card) => card.element));
    this.number();
    const result = this.context.checks.result(this.context.store.selected.id);
    if (result) this.showCheck(result, this.context.store.selected.id);
  }

  newCard(message) {
    return new MessageCard(this.context, message, {
      changed: (card) => this.changed(card),
      remove: (card) => this.remove(card),
      moveBy: (card, step) => this.moveBy(card, step),
    });
  }

  number() {
    const { length } = this.cards;
    this.cards.forEach((card, index) => card.number(index, length));
  }

  changed(card) {
    card.dirty = true;
    this.write();
  }

  writeDirty() {
    const dirty = this.cards.filter((card) => card.dirty);
    if (!dirty.length) return;
    this.context.store.change(ME, ["messages"], () => dirty.forEach((card) => card.writeBack()));
  }

  rearrange(mutate) {
    this.write.flush();
    this.context.store.change(ME, ["messages"], () => mutate(this.messages));
    this.draw();
  }

  moveBy(card, step) {
    const from = this.cards.indexOf(card);
    const to = from + step;
    if (to < 0 || to >= this.cards.length) return;
    this.move(from, to);
    card.focusHandle();
  }

  move(from, to) {
    if (from === to) {
      this.draw();
      return;
    }
    this.rearrange((messages) => messages.splice(to, 0, ...messages.splice(from, 1)));
    announce(this.context, `Message moved to place ${to + 1} of ${this.cards.length}.`);
  }

  remove(card) {
    const index = this.cards.indexOf(card);
    card.writeBack();
    const { message } = card;
    this.rearrange((messages) => messages.splice(index, 1));
    (this.cards[Math.min(index, this.cards.length - 1)] ?? this).focusHandle?.();
    const empty = !message.content && !message.tool_calls;
    if (!empty) this.offerUndo(message, index);
  }

  offerUndo(message, index) {
    this.context.offerUndo(`Message ${index + 1} is removed.`, () =>
      this.rearrange((messages) => messages.splice(Math.min(index, messages.length), 0, message)),
    );
  }

  drawAdd() {
    const add = (role) => () => {
      this.rearrange((messages) => messages.push(emptyMessage(role)));
      this.cards.at(-1).focus();
    };
    const button = (role, text) =>
      el(
        "button",
        { type: "button", class: "btn btn-sm", on: { click: add(role) } },
        icon("plus") ?? "",
        text,
      );
    this.context.root
      .querySelector("#wb-add")
      .replaceChildren(button("user", "Message"), button("placeholder", "Placeholder for messages"));
  }

  /** Errors of what is not typed any more are not drawn: a newer check is on its way then. */
  showCheck(result, columnId) {
    if (columnId !== this.context.store.selected.id) return;
    const errors = result.render_error ? [...result.errors, result.render_error] : result.errors;
    const alone = result.rendered?.length === this.cards.length ? result.rendered : null;
    this.cards.forEach((card, index) => {
      if (card.dirty) return;
      const place = `messages[${index}]`;
      card.showErrors(
        errors.filter((error) => error.place === place || error.place?.startsWith(`${place}.`)),
      );
      card.showRendered(alone?.[index]?.content ?? null);
    });
  }
}

export function mountMessages(context) {
  const messages = new Messages(context);
  return () => messages.undo.forEach((step) => step());
}
