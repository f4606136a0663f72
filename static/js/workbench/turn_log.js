// What was said so far, with the answers that are being written; whoever reads at its end stays there.
import { drawTurns } from "./conversation_turns.js";
import { el } from "./dom.js";

const AT_END_PX = 60;

export class TurnLog {
  /** `acts`: what can be done with a turn, as `drawTurns` takes it. */
  constructor(acts) {
    this.acts = acts;
    this.element = el("div", { class: "wb-turns", role: "log", "aria-label": "Turns", tabindex: "0" });
    this.places = new Map();
    this.texts = new Map();
  }

  /** Null: a conversation that has not begun. */
  show(conversation) {
    this.#keepingTheEnd(() => {
      if (!conversation) {
        this.places = new Map();
        this.element.replaceChildren(
          el("p", {
            class: "form-hint",
            text: "Nothing was said yet. The prompt's messages go before your first turn.",
          }),
        );
        return;
      }
      const { elements, streaming } = drawTurns(conversation, this.acts);
      this.places = streaming;
      for (const [call, place] of streaming) place.textContent = this.texts.get(call) ?? "";
      this.element.replaceChildren(...elements);
    });
  }

  /** Kept also before its place is drawn: after a reload the stream may be quicker than the conversation. */
  append(event) {
    const before = event.from === 0 ? "" : (this.texts.get(event.call) ?? "");
    this.texts.set(event.call, before + event.text);
    const place = this.places.get(event.call);
    if (!place) return;
    this.#keepingTheEnd(() => {
      place.textContent = this.texts.get(event.call);
    });
  }

  toEnd() {
    this.element.scrollTop = this.element.scrollHeight;
  }

  #keepingTheEnd(draw) {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    draw();
    if (scrollHeight - scrollTop - clientHeight < AT_END_PX) this.toEnd();
  }
}
