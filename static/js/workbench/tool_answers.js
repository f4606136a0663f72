// The tools that the model called, with a field for each to answer it by hand.
import { el } from "./dom.js";

const OPENS_A_TAG = /\{(?=[{%#])/g;

/** Text that stands in a template as it is, whatever it says: a raw block it could end itself. */
export function literal(text) {
  return text.replace(OPENS_A_TAG, '{{ "{" }}');
}

/** A call as chat messages hold it, from that or from the flat {id, name, arguments}. */
function asMessagePart({ id, name, arguments: given, function: called }) {
  return { id, type: "function", function: called ?? { name, arguments: given } };
}

function pretty(argumentsText) {
  try {
    return JSON.stringify(JSON.parse(argumentsText), null, 2);
  } catch {
    return argumentsText;
  }
}

/**
 * @param {{output: string, tool_calls: object[]}} call
 * @param {(messages: object[]) => void} onContinue gets the messages to append: the assistant's and the tools'
 * @returns {HTMLElement}
 */
export function toolAnswers(call, onContinue) {
  const calls = call.tool_calls.map(asMessagePart);
  const fields = calls.map(toolField);
  const problem = el("p", { class: "wb-error", hidden: true });
  const go = () => {
    const empty = fields.find(({ area }) => !area.value.trim());
    problem.hidden = !empty;
    problem.textContent = empty ? "Answer each call first." : "";
    if (empty) empty.area.focus();
    else onContinue(messagesOf(call.output, calls, fields));
  };
  const button = el("button", {
    type: "button",
    class: "btn btn-sm",
    text: "Answer and continue",
    on: { click: go },
  });
  return el("div", { class: "wb-tools" }, ...fields.map((field) => field.element), problem, button);
}

function toolField(one, index) {
  const { name, arguments: given } = one.function;
  const area = el("textarea", {
    class: "form-control form-control-sm wb-value",
    rows: "2",
    "aria-label": `Answer to call ${index + 1}, ${name}`,
  });
  const element = el(
    "div",
    { class: "wb-tool" },
    el("p", { class: "wb-tool-name" }, "The model calls ", el("code", { text: name })),
    el("pre", {
      class: "wb-tool-arguments",
      tabindex: "0",
      "aria-label": `Arguments of call ${index + 1}`,
      text: pretty(given),
    }),
    area,
  );
  return { area, element, id: one.id };
}

function messagesOf(output, calls, fields) {
  const empty = { content: "", name: "", tool_call_id: "", tool_calls: "" };
  const asked = {
    ...empty,
    role: "assistant",
    content: literal(output),
    tool_calls: JSON.stringify(calls, null, 2),
  };
  const answered = fields.map(({ area, id }) => ({
    ...empty,
    role: "tool",
    content: literal(area.value),
    tool_call_id: id,
  }));
  return [asked, ...answered];
}
