// The item: the conversation, what was put into it, the answers, and what others said of them.
import { el } from "../workbench/dom.js";
import { valueWords } from "./form_values.js";
import { messageText, mindScrolling, readingBox, redraw, valueText } from "./reading.js";

const ROLES = {
  system: "System",
  user: "User",
  assistant: "Assistant",
  tool: "Tool",
  developer: "Developer",
};
/** A longer system message is folded: it is the same from item to item. */
const FOLDED_FROM = 280;

export function mountItem({ root, boot, session, preferences }) {
  const place = root.querySelector("#lb-item");
  const draw = () => {
    const work = session.current;
    place.hidden = !work;
    place.replaceChildren(...(work ? parts(work.given, boot, preferences) : []));
    if (!work) return;
    const talk = place.querySelector(".lb-conversation");
    if (talk) talk.scrollTop = talk.scrollHeight;
    mindScrolling(place);
    place.setAttribute("aria-label", work.title);
    place.scrollTop = 0;
    place.focus({ preventScroll: true });
    if (place.getBoundingClientRect().top < 0) place.scrollIntoView({ block: "start" });
  };
  session.addEventListener("show", draw);
  preferences.addEventListener("change", () => redraw(place));
  const resized = new ResizeObserver(() => mindScrolling(place));
  resized.observe(place);
  return () => resized.disconnect();
}

function parts({ item, again }, boot, preferences) {
  const { others } = item;
  const { messages = [], inputs, answers = [], reference } = item.content;
  return [
    again ? el("p", { class: "lb-again", text: "You skipped this one before." }) : null,
    inputs && Object.keys(inputs).length ? inputsOf(inputs, messages.length > 0, preferences) : null,
    messages.length ? conversation(messages, preferences) : null,
    answersOf(answers, preferences),
    reference ? referenceOf(reference, preferences) : null,
    others?.length ? othersOf(others, boot.form) : null,
  ].filter(Boolean);
}

const heading = (text) => el("h2", { class: "lb-heading", text });

/** Where the messages hold the inputs already, they are folded. */
function inputsOf(inputs, folded, preferences) {
  const list = el("dl", { class: "lb-inputs" });
  for (const [name, value] of Object.entries(inputs)) {
    const term = el("dt", { text: name });
    list.append(
      el("div", {}, term, el("dd", {}, readingBox(valueText(value), `Input ${name}`, preferences))),
    );
  }
  if (!folded) return el("section", { class: "lb-part" }, heading("Inputs"), list);
  return el("details", { class: "lb-part lb-fold" }, el("summary", { text: "Inputs" }), list);
}

function conversation(messages, preferences) {
  const shown = messages.map((message) => turn(message, preferences));
  const talk = el("div", { class: "lb-conversation", role: "group", "aria-label": "Conversation" }, ...shown);
  return el("section", { class: "lb-part" }, heading("Conversation"), talk);
}

function turn(message, preferences) {
  const name = ROLES[message.role] ?? message.role ?? "Message";
  const text = messageText(message);
  const box = readingBox(text, name, preferences);
  const kind = ["user", "assistant"].includes(message.role) ? message.role : "frame";
  if (kind === "frame" && text.length > FOLDED_FROM) {
    const summary = el(
      "summary",
      {},
      el("span", { class: "lb-role", text: name }),
      ` ${text.slice(0, 120)}…`,
    );
    return el("details", { class: "lb-turn lb-turn-frame lb-fold" }, summary, box);
  }
  return el("div", { class: `lb-turn lb-turn-${kind}` }, el("div", { class: "lb-role", text: name }), box);
}

function answersOf(answers, preferences) {
  const pair = answers.length > 1;
  const cards = answers.map(({ side, text }) => {
    const name = pair ? `Answer ${side}` : "Answer";
    return el(
      "section",
      { class: "lb-answer", "data-side": pair ? side : null, "aria-label": name },
      el("h2", { class: "lb-heading", text: name }),
      readingBox(text ?? "", `Text of ${name.toLowerCase()}`, preferences),
    );
  });
  return el("div", { class: "lb-answers" }, ...cards);
}

function referenceOf(reference, preferences) {
  const box = readingBox(valueText(reference), "Reference", preferences);
  return el("section", { class: "lb-part lb-reference" }, heading("Reference"), box);
}

/** The answers of annotators who disagree, without their names. */
function othersOf(others, form) {
  const row = (field) =>
    el(
      "tr",
      {},
      el("th", { scope: "row", text: field.label }),
      ...others.map((values) =>
        el("td", { text: values[field.key] === undefined ? "–" : valueWords(field, values[field.key]) }),
      ),
    );
  const names = others.map((_, place) => el("th", { scope: "col", text: `Annotator ${place + 1}` }));
  const head = el("thead", {}, el("tr", {}, el("td"), ...names));
  const answered = form.filter((field) => others.some((values) => values[field.key] !== undefined));
  const table = el(
    "table",
    { class: "table table-sm lb-others-table" },
    head,
    el("tbody", {}, ...answered.map(row)),
  );
  return el(
    "section",
    { class: "lb-part lb-others" },
    heading("What the annotators said"),
    el(
      "div",
      { class: "table-responsive", tabindex: "0", role: "group", "aria-label": "What the annotators said" },
      table,
    ),
  );
}
