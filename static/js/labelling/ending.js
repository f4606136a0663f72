// When there is nothing more: why, and what to do next.
import { el, plural } from "../workbench/dom.js";

const WHY = {
  empty: {
    title: "Nothing left for you: every item is judged",
    text: "New items show up here by themselves as soon as the queue gets some.",
  },
  all_taken: {
    title: "Nothing left for you just now",
    text: "What is left is for others. An item comes here by itself when one is free for you.",
  },
  only_skipped: {
    title: "Nothing left for you but what you skipped",
    text: "Skipped items come back by themselves a while later. Or go back to them now.",
  },
};
const SENDING = {
  title: "Nothing left for you just now",
  text: "What you did is being sent; then this page looks for more.",
};
const ELSEWHERE = {
  title: "Your items are open in another tab",
  text: "This tab goes on by itself when there is one to spare.",
};

export function mountEnding({ root, boot, session, hand, outbox, announce }) {
  const place = root.querySelector("#lb-ending");
  let told = null;
  const draw = () => {
    place.hidden = Boolean(session.current);
    const state = session.current ? null : stateOf(hand, outbox);
    const key = state && `${state.title} ${state.text} ${hand.progress?.mine}`;
    if (key === told) return;
    told = key;
    place.replaceChildren(...(state ? words(state, { boot, session, hand }) : []));
    if (state?.title) announce(state.title);
  };
  session.addEventListener("show", draw);
  hand.addEventListener("state", draw);
  draw();
  return undefined;
}

function stateOf(hand, outbox) {
  if (hand.trouble) return { text: "The next item comes as soon as the server can be reached." };
  if (!hand.nothing) return { text: "Getting the next item…" };
  return WHY[hand.why] ?? (outbox.waiting().length ? SENDING : ELSEWHERE);
}

function words({ title, text }, { boot, session, hand }) {
  if (!title) return [el("p", { class: "lb-ending-text", text })];
  const mine = hand.progress?.mine ?? 0;
  const back = el(
    "button",
    { type: "button", class: "btn", on: { click: () => session.back() } },
    "Look at your last ones",
    el("kbd", { class: "ms-2", text: "←" }),
  );
  return [
    el("h2", { class: "lb-ending-title", text: title }),
    el("p", { class: "lb-ending-text", text: mine ? `You judged ${plural(mine, "item")}. ${text}` : text }),
    el(
      "div",
      { class: "lb-ending-actions" },
      mine ? back : null,
      el("button", { type: "button", class: "btn", text: "Look again", on: { click: () => hand.fill() } }),
      el("a", { class: "btn btn-primary", href: boot.urls.queues, text: "Other queues" }),
    ),
  ];
}
