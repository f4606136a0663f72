// What stands in the way, in words, with what to do: no network, signed out, a place that was lost, what was refused.
import { el, plural } from "../workbench/dom.js";

const WHY = {
  offline: "The server cannot be reached. Go on: everything is kept in this browser and sent when it can.",
  busy: "The server is busy or failing just now. Go on: everything is kept here and sent again soon.",
  somebody_else:
    "Somebody else is signed in in this browser. What you did is kept for you: sign in as yourself, and it is sent.",
};
/** A short hitch is nobody's concern. */
const FAILURES_TOLD_FROM = 2;

export function mountTrouble({ root, boot, session, outbox, hand, records }) {
  const place = root.querySelector("#lb-trouble");
  const state = root.querySelector("#lb-state");
  let told = "";
  const draw = () => {
    const parts = [
      connection(boot, outbox, hand),
      lost(session),
      ...outbox.refused().map((one) => refused(one, context)),
    ];
    const shown = parts.filter(Boolean);
    const key = shown.map((part) => part.dataset.told).join("|");
    // Drawn again only when it changed: a screen reader would say it again, and a button would lose the focus.
    if (key !== told) place.replaceChildren(...shown);
    told = key;
    state.textContent = stateWords(outbox, records);
    state.dataset.waiting = outbox.waiting().length;
  };
  const context = { session, outbox };
  for (const name of ["change", "sent", "refused"]) outbox.addEventListener(name, draw);
  for (const name of ["show", "changed"]) session.addEventListener(name, draw);
  hand.addEventListener("state", draw);
  draw();
  return undefined;
}

function stateWords(outbox, records) {
  if (!records.works) return "This browser keeps nothing: leave the page open until all is sent";
  const waiting = outbox.waiting().length;
  if (waiting) return `${waiting} waiting to be sent`;
  return outbox.entries().length ? "Saving…" : "Saved";
}

function notice(key, level, text, ...actions) {
  const words = el("span", { class: "lb-notice-text", text });
  const role = level === "bad" ? "alert" : "status";
  return el("div", { class: `lb-notice lb-notice-${level}`, "data-told": key, role }, words, ...actions);
}

const button = (text, click) => el("button", { type: "button", class: "btn btn-sm", text, on: { click } });

function connection(boot, outbox, hand) {
  const why = outbox.why || hand.trouble;
  if (!why) return null;
  if (why === "refused")
    return notice(`refused ${hand.problem}`, "bad", hand.problem || "The server refuses to give an item.");
  if (why === "signed_out") {
    const here = encodeURIComponent(boot.urls.page);
    const link = el("a", {
      class: "btn btn-sm",
      href: `/account/login/?next=${here}`,
      target: "_blank",
      text: "Sign in in another tab",
    });
    return notice(
      why,
      "warn",
      "You are signed out. What you did is kept here, and sent when you are back.",
      link,
    );
  }
  if (why === "busy" && Math.max(outbox.failures, hand.failures) < FAILURES_TOLD_FROM) return null;
  return notice(why, "warn", WHY[why]);
}

function lost(session) {
  const work = session.current;
  if (!work) return null;
  if (!work.lost)
    return work.problem ? notice(`problem ${work.problem}`, "bad", `Not saved: ${work.problem}`) : null;
  const words = work.problem || "This item is not held for you any more.";
  return notice(
    `lost ${work.id} ${work.problem}`,
    "warn",
    `${words} Your answers are still here.`,
    button("Take it up here", () => session.takeUp()),
    button("Go on to the next", () => session.giveUp()),
  );
}

function refused(entry, { session, outbox }) {
  const answers = el(
    "ul",
    { class: "lb-notice-values" },
    ...entry.said.map(([label, value]) => el("li", { text: `${label}: ${value}` })),
  );
  const what = `${entry.title} was not taken: ${entry.answer.detail ?? "the server gave no reason."}`;
  const kept = entry.said.length ? ` Your ${plural(entry.said.length, "answer")}:` : "";
  const again = button("Open it again", () => session.openRefused(entry));
  const actions = [
    entry.said.length ? answers : null,
    entry.queue === session.boot.queue.slug ? again : null,
    button("Dismiss", () => outbox.dismiss(entry.id)),
  ];
  return notice(`entry ${entry.id}`, "bad", what + kept, ...actions.filter(Boolean));
}
