// When there is nothing more: why, and what to do next.
import { el, plural } from "../workbench/dom.js";

const WHY = {
  empty: {
    title: "Nothing left for you: every item is judged",
    text: "New items show up here by themselves as soon as the queue gets some.",
  },
  all_taken: {
    title: "Nothing left for you just now",
    text: "Others have the last items. One comes here by itself if it is left.",
  },
  only_skipped: {
    title: "Nothing left for you but what you skipped",
    text: "Skipped items come back by themselves a while later. Or go back to them now.",
  },
};
const ELSEWHERE = {
  title: "Your items are open in another tab",
  text: "This tab goes on by itself when there is one to spare.",
};

export function mountEnding({ root, boot, session, hand, announce }) {
  const place = root.querySelector("#lb-ending");
  let told = "";
  const draw = () => {
    const none = !session.current;
    const why = none && !hand.trouble ? hand.why : null;
    const key = `${none} ${why} ${hand.trouble} ${hand.progress?.mine}`;
    place.hidden = !none;
    if (key === told) return;
    told = key;
    place.replaceChildren(...(none ? words(why, { boot, session, hand }) : []));
    if (why) announce(WHY[why]?.title ?? ELSEWHERE.title);
  };
  session.addEventListener("show", draw);
  hand.addEventListener("state", draw);
  draw();
  return undefined;
}

function words(why, { boot, session, hand }) {
  if (!why) {
    const text = hand.trouble
      ? "The next item comes as soon as the server can be reached."
      : "Getting the next item…";
    return [el("p", { class: "lb-ending-text", text })];
  }
  const { title, text } = WHY[why] ?? ELSEWHERE;
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
