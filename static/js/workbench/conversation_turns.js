// The turns of a conversation as a chat. Every text is shown as text.
import { el } from "./dom.js";
import { errorWords, figures, finishWords } from "./output_words.js";

const WHO = { user: "You", assistant: "Model", tool: "Tool" };
const UNDER_WAY = ["pending", "running"];

/** Whether the turn's call, or the summary before it, has not ended. */
export function isUnderWay(turn) {
  const call = turn?.call ?? turn?.summary_call;
  return Boolean(call) && UNDER_WAY.includes(call.status);
}

const pretty = (text) => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
};

/**
 * @param {object} conversation as the server tells it
 * @param {{edit: Function, retry: Function, remove: Function, answerTools: Function, retryWith: Function}} acts
 * @returns {{elements: HTMLElement[], streaming: Map<string, HTMLElement>}} `streaming`: where a call's text goes
 */
export function drawTurns(conversation, acts) {
  const streaming = new Map();
  const { turns } = conversation;
  const elements = turns.map((turn) => turnOf(conversation, turn, acts, streaming));
  if (conversation.summary)
    elements.splice(
      turns.filter((turn) => turn.position < conversation.summary_until).length,
      0,
      summaryOf(conversation),
    );
  return { elements, streaming };
}

function turnOf(conversation, turn, acts, streaming) {
  const last = conversation.turns.at(-1) === turn;
  const gone = turn.position < conversation.sent_from;
  const text = el("div", {
    class: "wb-turn-text",
    text: turn.role === "assistant" ? (turn.call?.output ?? "") : turn.content,
  });
  if (turn.call && UNDER_WAY.includes(turn.call.status)) streaming.set(turn.call.id, text);
  const parts = [el("p", { class: "wb-turn-who" }, WHO[turn.role], ...marks(turn, gone)), text];
  if (turn.role === "assistant") parts.push(...answerParts(conversation, turn, last, acts));
  return el(
    "article",
    {
      class: `wb-turn wb-turn-${turn.role}${gone ? " wb-turn-gone" : ""}`,
      "data-position": String(turn.position),
    },
    ...parts,
    actionsOf(turn, last, acts),
  );
}

function marks(turn, gone) {
  const found = [];
  if (gone) found.push(el("span", { class: "wb-turn-mark", text: "no longer sent" }));
  if (turn.tool_call_id) found.push(el("span", { class: "wb-turn-mark", text: turn.tool_call_id }));
  return found;
}

function answerParts(conversation, turn, last, acts) {
  const { call } = turn;
  const parts = [];
  if (!call && isUnderWay(turn)) parts.push(note("The older turns are being summarised…"));
  if (!call && turn.error) parts.push(el("p", { class: "wb-error", text: turn.error }));
  if (!call) return parts;
  if (call.status === "pending") parts.push(note("Waiting…"));
  if (call.status === "failed") parts.push(el("p", { class: "wb-error", text: errorWords(call) }));
  if (call.status === "cancelled") parts.push(note(call.error || "Stopped."));
  if (turn.too_long && last) parts.push(tooLong(turn, acts));
  if (finishWords(call)) parts.push(note(finishWords(call)));
  if (turn.left_out) parts.push(note(leftOutWords(conversation, turn)));
  if (call.tool_calls.length) parts.push(toolCalls(conversation, turn, last, acts));
  if (call.status === "completed") {
    const words = figures(call).map(([label, value]) => `${label} ${value}`);
    parts.push(el("p", { class: "wb-trial-figures", text: words.join(" · ") }));
  }
  return parts;
}

const note = (text) => el("p", { class: "form-hint", text });

function leftOutWords(conversation, turn) {
  const n = conversation.turns.filter(({ position }) => position < turn.left_out).length;
  const turns = `${n} earlier ${n === 1 ? "turn" : "turns"}`;
  const summed = conversation.summary && conversation.policy === "summarise";
  return summed
    ? `Sent with a summary in place of ${turns}.`
    : `Sent without ${turns}: the context window was full.`;
}

/** The provider itself said that it was too much. */
function tooLong(turn, acts) {
  const buttons = [
    ["drop_oldest", "Leave out the oldest turns"],
    ["keep_last", "Keep the last turns"],
    ["summarise", "Summarise the older turns"],
  ].map(([policy, text]) =>
    el("button", {
      type: "button",
      class: "btn btn-sm",
      text,
      on: { click: () => acts.retryWith(turn, policy) },
    }),
  );
  return el("div", { class: "wb-turn-actions" }, note("Try again, and"), ...buttons);
}

function toolCalls(conversation, turn, last, acts) {
  const open = last && conversation.open_tool_calls.length > 0;
  const fields = turn.call.tool_calls.map((each, index) => {
    const of = each.function ?? each;
    const area = open
      ? el("textarea", {
          class: "form-control form-control-sm wb-value",
          rows: "2",
          "aria-label": `Answer to call ${index + 1}, ${of.name}`,
        })
      : null;
    const element = el(
      "div",
      { class: "wb-tool" },
      el("p", { class: "wb-tool-name" }, "Calls ", el("code", { text: of.name })),
      el("pre", {
        class: "wb-tool-arguments",
        tabindex: "0",
        "aria-label": `Arguments of call ${index + 1}`,
        text: pretty(of.arguments),
      }),
      area,
    );
    return { id: each.id, area, element };
  });
  const go = open
    ? el("button", {
        type: "button",
        class: "btn btn-sm",
        text: "Send the tools' answers",
        on: {
          click: () => acts.answerTools(Object.fromEntries(fields.map(({ id, area }) => [id, area.value]))),
        },
      })
    : null;
  return el("div", { class: "wb-tools" }, ...fields.map(({ element }) => element), go);
}

function actionsOf(turn, last, acts) {
  if (isUnderWay(turn)) return null;
  const button = (text, label, click) =>
    el("button", {
      type: "button",
      class: "wb-turn-act",
      text,
      "aria-label": `${label}, turn ${turn.position + 1}`,
      on: { click },
    });
  const found = [];
  if (turn.role === "user") found.push(button("Edit", "Edit and send again", () => acts.edit(turn)));
  if (turn.role === "assistant")
    found.push(button("Retry", "Retry, for another answer", () => acts.retry(turn)));
  found.push(button(last ? "Delete" : "Delete from here", "Delete from here on", () => acts.remove(turn)));
  return el("div", { class: "wb-turn-actions" }, ...found);
}

function summaryOf({ summary, summary_call: call, summary_until: until }) {
  const words = figures(call ?? {}).map(([label, value]) => `${label} ${value}`);
  return el(
    "article",
    { class: "wb-turn wb-turn-summary" },
    el("p", { class: "wb-turn-who", text: `Summary of the turns before turn ${until + 1}` }),
    el("div", { class: "wb-turn-text", text: summary }),
    el("p", { class: "wb-trial-figures", text: words.join(" · ") }),
  );
}
