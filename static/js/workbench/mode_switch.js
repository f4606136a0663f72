// The switch between one answer and a conversation.
import { el } from "./dom.js";

export class ModeSwitch {
  /** `choose(conversation)` is called at a click. */
  constructor(place, choose) {
    const button = (text, on) =>
      el("button", { type: "button", class: "btn btn-sm", text, on: { click: () => choose(on) } });
    this.one = button("One answer", false);
    this.many = button("Conversation", true);
    this.many.dataset.key = "c";
    this.many.dataset.keyLabel = "Conversation";
    place?.replaceChildren(
      el("div", { class: "btn-group", role: "group", "aria-label": "Mode" }, this.one, this.many),
    );
    this.show(false);
  }

  show(on) {
    this.one.setAttribute("aria-pressed", String(!on));
    this.many.setAttribute("aria-pressed", String(on));
    this.one.classList.toggle("active", !on);
    this.many.classList.toggle("active", on);
  }
}
