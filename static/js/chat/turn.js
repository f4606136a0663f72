// A question and its answer in the log, with the thumbs of the answer.

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function factsOf({ facts }) {
  if (!facts) return "";
  const told = [];
  if (facts.prompt_version) told.push(`version ${facts.prompt_version}`);
  if (facts.usage?.output_tokens) told.push(`${facts.usage.output_tokens} tokens`);
  if (facts.duration_ms) told.push(`${(facts.duration_ms / 1000).toFixed(1)} s`);
  return told.join(" · ");
}

export class ChatTurn {
  lost = "";

  constructor(turn, again) {
    this.turn = turn;
    this.question = make("div", "chat-said chat-question");
    this.question.append(make("span", "visually-hidden", "You: "), make("div", "prose", turn.question));
    this.answer = make("div", "chat-said chat-answer");
    this.text = make("div", "prose");
    this.note = make("p", "chat-note text-secondary");
    this.error = make("p", "chat-error");
    this.retry = make("button", "btn btn-sm", "Try again");
    this.retry.type = "button";
    this.retry.addEventListener("click", again);
    this.foot = make("div", "chat-foot");
    this.answer.append(
      make("span", "visually-hidden", "Answer: "),
      this.text,
      this.error,
      this.retry,
      this.note,
      this.foot,
    );
    this.elements = [this.question, this.answer];
    this.show();
  }

  show() {
    const { status, text, error, token } = this.turn;
    const ended = ["completed", "failed", "cancelled"].includes(status);
    if (this.text.textContent !== text) this.text.textContent = text;
    this.answer.dataset.status = status;
    this.answer.ariaBusy = String(!ended);
    this.error.textContent = status === "failed" ? error || "The answer failed." : "";
    this.retry.hidden = status !== "failed";
    this.note.textContent = this.noteOf(status, text);
    if (!token) this.foot.replaceChildren();
    else if (ended && text && !this.foot.firstChild) this.addThumbs(token);
  }

  noteOf(status, text) {
    if (status === "cancelled") return "Stopped.";
    if (["completed", "failed"].includes(status)) return "";
    return this.lost || (text ? "" : "Waiting for the answer …");
  }

  /** The same element that any application may use. */
  addThumbs(token) {
    const thumbs = document.createElement("llmops-feedback");
    thumbs.setAttribute("token", token);
    this.foot.append(thumbs, make("span", "chat-facts text-secondary", factsOf(this.turn)));
  }
}
