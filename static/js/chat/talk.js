// A conversation as the browser's session keeps it: questions with their answers, and the variables' values.

export class Talk {
  constructor(key) {
    this.key = key;
    this.begin({ kept: this.read() });
  }

  read() {
    try {
      return JSON.parse(sessionStorage.getItem(this.key));
    } catch {
      return null; // Storage is switched off, or holds something else: a new conversation.
    }
  }

  /** A new conversation, with the same values. */
  begin({ kept = null } = {}) {
    this.session = kept?.session ?? crypto.randomUUID();
    this.values = kept?.values ?? this.values ?? {};
    this.turns = kept?.turns ?? [];
    this.keep();
  }

  keep() {
    const { session, values, turns } = this;
    try {
      sessionStorage.setItem(this.key, JSON.stringify({ session, values, turns }));
    } catch {
      // Full or switched off: the conversation lives as long as the page.
    }
  }

  add(question) {
    const turn = { question, id: "", text: "", status: "pending", error: "", token: "" };
    this.turns.push(turn);
    return turn;
  }

  /** What goes along with a turn: what was said before and answered. */
  before(turn) {
    const said = this.turns.slice(0, this.turns.indexOf(turn)).filter(({ text }) => text);
    const history = said.flatMap(({ question, text }) => [
      { role: "user", content: question },
      { role: "assistant", content: text },
    ]);
    return { history, session: this.session, values: this.values };
  }
}
