// One line above the item: what became of the one before, the names that were hidden, and the way back to it.
import { el } from "../workbench/dom.js";

export function mountStrip({ root, session, outbox, announce }) {
  const place = root.querySelector("#lb-strip");
  let last = null;
  let words = "";
  const draw = () => {
    const parts = session.isOpenAgain ? openAgain(session) : words ? [] : sent(last, session);
    if (words) parts.unshift(el("strong", { text: words }));
    place.dataset.hint = !last && !words && !session.isOpenAgain;
    place.replaceChildren(...parts);
  };
  draw();
  session.addEventListener("sent", ({ detail }) => {
    last = { entry: detail, answer: null };
    draw();
  });
  outbox.addEventListener("sent", ({ detail: { entry, answer } }) => {
    if (entry.id !== last?.entry.id) return;
    last.answer = answer;
    draw();
    if (answer?.revealed) announce(revealed(answer.revealed));
  });
  session.addEventListener("show", () => {
    words = "";
    draw();
  });
  session.addEventListener("words", ({ detail }) => {
    words = detail;
    draw();
    announce(detail);
  });
  return undefined;
}

const BEGIN = "Digits answer, Enter submits, and the next item is there.";
const keysHint = () =>
  el("span", { class: "lb-strip-what lb-strip-keys" }, el("kbd", { text: "?" }), " all keys");
const revealed = ({ A, B }) => `A was ${A}, B was ${B}.`;

function button(text, key, click) {
  return el(
    "button",
    { type: "button", class: "lb-link", on: { click } },
    text,
    " ",
    el("kbd", { text: key }),
  );
}

function openAgain(session) {
  const words = session.current.withdrawn
    ? "Taken back: it was not sent yet."
    : "You submitted this one already. Change it and submit, or leave it as it was.";
  return [el("span", { text: words }), button("Leave it as it was", "Esc", () => session.leaveAsItWas())];
}

function sent(last, session) {
  if (!last) return [el("span", { class: "lb-strip-what", text: BEGIN }), keysHint()];
  const { entry, answer } = last;
  const said = entry.said
    .map(([, value]) => (value.length > 60 ? `${value.slice(0, 60)}…` : value))
    .join(" · ");
  const what = {
    submit: `${entry.title}: ${said}`,
    skip:
      entry.body.kind === "conflict"
        ? `${entry.title} goes to somebody else.`
        : `${entry.title} comes back later.`,
  }[entry.kind];
  return [
    el("span", { class: "lb-strip-what", text: what }),
    answer?.revealed ? el("strong", { class: "lb-revealed", text: revealed(answer.revealed) }) : null,
    answer?.state === "surplus" ? el("span", { text: surplus }) : null,
    button("Take back", "Ctrl Z", () => session.back()),
  ].filter(Boolean);
}

const surplus = "Others had judged it meanwhile: your answer is kept, and not counted.";
