// How an entry of the outbox goes to the server, and what its answer means.
import { exchange, laterWhy, whoIsHere } from "./exchange.js";

/** Signed in as another, or with a session that began since, the server refuses with these. */
const MAY_BE_SOMEBODY_ELSE = new Set([403, 404]);

/**
 * @param {import("./exchange.js").Addresses} addresses
 * @param {string} user whose entries these are
 * @returns {(entry: object) => Promise<{done?: object, later?: string, wait?: number, refused?: object}>}
 */
export function sender(addresses, user) {
  const once = async (entry) => {
    let { lease } = entry;
    if (entry.reopen) {
      const opened = await exchange("POST", addresses.of("reopen", entry.annotation), {});
      if (opened.status !== 200) return opened;
      lease = opened.body.annotation.lease;
    }
    const method = entry.kind === "keep" ? "PUT" : "POST";
    return exchange(method, addresses.of(entry.kind, entry.annotation), { ...entry.body, lease });
  };

  return async (entry) => {
    let answer = await once(entry);
    if (MAY_BE_SOMEBODY_ELSE.has(answer.status)) {
      const here = await whoIsHere(addresses, user);
      if (here !== "same") return { later: here };
      answer = await once(entry);
    }
    const later = laterWhy(answer.status);
    if (later) return { later, wait: answer.retryAfter };
    if (answer.status >= 400) return { refused: { ...answer.body, status: answer.status } };
    return { done: answer.body };
  };
}
