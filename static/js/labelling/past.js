// What was judged before this page was opened, newest first, as far as somebody goes back.
import { exchange, laterWhy } from "./exchange.js";

const SENT = new Set(["submitted", "surplus"]);

export class Past {
  constructor(addresses) {
    this.addresses = addresses;
    this.rows = [];
    this.before = "";
    this.ended = false;
  }

  /**
   * The next older one that is not among `known`; null when there is none.
   * @returns {Promise<{given: object, kind: string} | {why: string} | null>}
   */
  async older(known) {
    for (;;) {
      const row = this.rows.shift();
      if (row && SENT.has(row.state) && !known.has(row.id))
        return { given: { annotation: { id: row.id } }, kind: "submit" };
      if (row) continue;
      if (this.ended) return null;
      const why = await this.read();
      if (why) return { why };
    }
  }

  /** @returns {Promise<string>} why there is no answer, or "" */
  async read() {
    const address = this.addresses.of("mine");
    const { status, body } = await exchange(
      "GET",
      this.before ? `${address}?before=${encodeURIComponent(this.before)}` : address,
    );
    if (laterWhy(status)) return "The server cannot be reached: what it has can be opened when it can.";
    if (status !== 200) return body.detail ?? "What you did before cannot be read.";
    this.rows = body.results;
    this.before = body.next ?? "";
    this.ended = !this.before;
    return "";
  }
}
