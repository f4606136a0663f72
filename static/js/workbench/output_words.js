// What became of a call, in words: its figures, its error with what to do, why it ended.
import { count } from "./dom.js";

const ADVICE = {
  rate_limited: "The provider allows fewer calls a minute. Wait a little, then run again.",
  overloaded: "The provider is busy. Run again in a moment.",
  timeout: "Run again, or raise the provider's time limit in its settings.",
  connection: "Check the provider's address and that it is up; its page has a connection test.",
  authentication: "Check the provider's key in its settings.",
  unknown_model: "Choose another model, or test the provider's connection to list its models anew.",
  context_length:
    "Shorten the messages or the values, lower Max tokens, or choose a model with a larger window.",
  content_filter: "The provider's filter refused it. Change the messages, then run again.",
  bad_request: "Check the parameters: this model may not know one of them.",
  quota: "The provider's account has no credit left.",
  bad_response: "The provider answered something that is no completion. Run again, or check its address.",
};

/** The error's own sentence, then what to do. */
export function errorWords(call) {
  return [call.error || "The call failed.", ADVICE[call.error_kind]].filter(Boolean).join(" ");
}

/** Why the answer ends where it does, when that is not because the model was done. */
export function finishWords(call, maxTokens) {
  if (call.finish_reason === "length") {
    const limit = maxTokens ? ` at ${maxTokens} tokens` : "";
    return `The answer was cut off${limit}: it reached Max tokens, or the model's window. Raise Max tokens to let it finish.`;
  }
  if (call.finish_reason === "content_filter") return "The provider's filter cut the answer off.";
  if (call.status === "completed" && !call.output && !call.tool_calls?.length)
    return "The answer is empty: the model ended before its first word.";
  return "";
}

export const seconds = (ms) =>
  ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;

export function dollars(text) {
  const value = Number(text);
  if (value === 0) return "$0";
  return value < 0.01 ? `$${value.toPrecision(2).replace(/\.?0+e/, "e")}` : `$${value.toFixed(4)}`;
}

/** [label, value] of everything that is known of the call. */
export function figures(call) {
  const known = (value) => value !== null && value !== undefined;
  const rows = [];
  if (known(call.time_to_first_token_ms)) rows.push(["First token", seconds(call.time_to_first_token_ms)]);
  if (known(call.duration_ms)) rows.push(["Total", seconds(call.duration_ms)]);
  if (known(call.input_tokens)) rows.push(["In", `${count(call.input_tokens)} tokens`]);
  if (known(call.output_tokens)) rows.push(["Out", `${count(call.output_tokens)} tokens`]);
  if (call.status === "completed")
    rows.push(["Cost", known(call.cost_usd) ? dollars(call.cost_usd) : "unknown"]);
  if (call.model_name) rows.push(["Model", call.model_name]);
  return rows;
}

const STATES = {
  pending: ["Waiting", "busy"],
  waiting: ["Waiting for a free place", "busy"],
  running: ["Running", "busy"],
  completed: ["Done", "good"],
  failed: ["Failed", "bad"],
  cancelled: ["Stopped", "warn"],
};

/** [words, look] of a state; nothing for a column that never ran. */
export const stateWords = (status) => STATES[status] ?? ["", "neutral"];

/** What a call waits for of which nothing has come; `model` as the page knows it, if it does. */
export function waitingWords(status, model) {
  if (status === "waiting")
    return `${model?.provider ?? "The provider"} takes no more calls at once. This one begins as soon as another ends.`;
  if (model && model.kind !== "openai")
    return "It waits for the model on this machine, which is loading or busy with other calls or a run.";
  if (status === "running") return "The provider has the call, and has not sent a word yet.";
  return "It waits for a worker. When that lasts, ask whoever runs this server whether its workers are up.";
}
