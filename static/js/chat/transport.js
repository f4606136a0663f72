// Asking the server, with what went wrong in words; and answers that come line by line.
import { meta } from "../requests.js";

/** GET, or POST with a body. Throws an Error with `status` where the server refused. */
export async function ask(url, body) {
  const headers = { Accept: "application/json", "X-CSRFToken": meta("csrf-token") };
  const sent = body ? { method: "POST", body: JSON.stringify(body) } : {};
  let answer;
  try {
    answer = await fetch(url, { ...sent, headers: { ...headers, "Content-Type": "application/json" } });
  } catch {
    throw new Error("The server cannot be reached. Check the connection, then try again.");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  const error = new Error(told.detail || `The server answered with an error (${answer.status}). Try again.`);
  throw Object.assign(error, { status: answer.status });
}

/** The answer's lines of JSON, as they come. */
export async function* lines(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part) yield JSON.parse(part);
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
