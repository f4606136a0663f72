import { Controller } from "@hotwired/stimulus";
import { Talk } from "../chat/talk.js";
import { ChatTurn } from "../chat/turn.js";
import { ask, lines, pause } from "../chat/transport.js";

const ENDS = new Set(["completed", "failed", "cancelled"]);
const LOOK_AGAIN_MS = 1000;

/**
 * A chat with a prompt. The talk is kept in the browser's session, so that a reload goes on; an answer whose stream
 * broke off is asked for by its id until it is there. Targets: `log`, `empty`, `form`, `text`, `go`, `stop`, `value`
 * (one a variable), `fresh`, `status`.
 */
export default class extends Controller {
  static targets = ["log", "empty", "form", "text", "go", "stop", "value", "fresh", "status"];

  connect() {
    this.urls = JSON.parse(this.element.querySelector("#chat-boot").textContent);
    this.talk = new Talk(this.urls.key);
    for (const field of this.valueTargets) field.value = this.talk.values[field.dataset.name] ?? "";
    this.gone = false;
    this.draw();
    const last = this.talk.turns.at(-1);
    if (last?.id && !ENDS.has(last.status)) this.follow(last, this.shown.at(-1));
    else if (last && !ENDS.has(last.status)) this.fail(last, this.shown.at(-1));
    this.textTarget.focus();
  }

  disconnect() {
    this.gone = true;
  }

  draw() {
    this.logTarget.replaceChildren();
    this.shown = this.talk.turns.map((turn) => this.add(turn));
    this.emptyTarget.hidden = this.talk.turns.length > 0;
  }

  add(turn) {
    const shown = new ChatTurn(turn, () => this.again(turn));
    this.logTarget.append(...shown.elements);
    shown.elements.at(-1).scrollIntoView({ block: "nearest" });
    return shown;
  }

  begin() {
    if (this.busy) this.stop();
    this.talk.begin();
    this.draw();
    this.textTarget.focus();
  }

  keep() {
    for (const field of this.valueTargets) this.talk.values[field.dataset.name] = field.value;
    this.talk.keep();
  }

  key(event) {
    if (event.key === "Escape" && this.busy) this.stop();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.formTarget.requestSubmit();
  }

  send(event) {
    event.preventDefault();
    const text = this.textTarget.value;
    if (this.busy || !text.trim()) return;
    this.textTarget.value = "";
    const turn = this.talk.add(text);
    this.emptyTarget.hidden = true;
    this.shown.push(this.add(turn));
    this.run(turn, this.shown.at(-1));
  }

  /** Ask the last question again, whose answer failed. */
  again(turn) {
    if (this.busy || turn !== this.talk.turns.at(-1)) return;
    Object.assign(turn, { id: "", text: "", status: "pending", error: "", token: "" });
    this.run(turn, this.shown.at(-1));
  }

  async run(turn, shown) {
    this.wait(true, turn);
    shown.show();
    this.keep();
    const { history, session, values } = this.talk.before(turn);
    try {
      const answer = await ask(this.urls.turn, { text: turn.question, history, session, values });
      for await (const event of lines(answer)) this.take(turn, shown, event);
    } catch (error) {
      if (!turn.id) return this.fail(turn, shown, error.message);
    }
    if (ENDS.has(turn.status)) this.end(turn, shown);
    else await this.follow(turn, shown);
  }

  take(turn, shown, event) {
    if (event.type === "started") turn.id = event.id;
    else if (event.type === "text") turn.text += event.text;
    else if (event.type !== "waiting") this.takeEnd(turn, event);
    this.talk.keep();
    shown.show();
  }

  takeEnd(turn, told) {
    turn.status = told.status;
    turn.text = told.text ?? turn.text;
    turn.error = told.error || "";
    turn.token = told.feedback_token || "";
    turn.facts = told;
  }

  /** The stream is lost, or the page was loaded anew: look for the answer until it has ended. */
  async follow(turn, shown) {
    this.wait(true, turn);
    while (!ENDS.has(turn.status) && !this.gone) {
      try {
        const answer = await ask(this.urls.answer.replace(/0{8}[-0]+/, turn.id));
        const told = await answer.json();
        shown.lost = "";
        if (ENDS.has(told.status)) this.takeEnd(turn, told);
        else turn.text = told.text || turn.text;
      } catch (error) {
        if (error.status) return this.fail(turn, shown, error.message);
        shown.lost = "The server cannot be reached. The answer is fetched as soon as it can.";
      }
      shown.show();
      if (!ENDS.has(turn.status)) await pause(LOOK_AGAIN_MS);
    }
    return this.end(turn, shown);
  }

  fail(turn, shown, error = "The message was not sent.") {
    Object.assign(turn, { status: "failed", error });
    this.end(turn, shown);
  }

  end(turn, shown) {
    if (this.gone) return;
    this.talk.keep();
    shown.show();
    this.statusTarget.textContent = turn.error || "The answer is there.";
    if (turn === this.talk.turns.at(-1)) this.wait(false);
  }

  wait(busy, turn) {
    this.busy = busy ? turn : null;
    this.stopTarget.hidden = !busy;
    this.goTarget.hidden = busy;
    if (busy) this.statusTarget.textContent = "The answer is on its way.";
  }

  stop() {
    const { id } = this.busy ?? {};
    if (id) ask(this.urls.stop.replace(/0{8}[-0]+/, id), {}).catch(() => {});
  }
}
