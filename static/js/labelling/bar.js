// The line above the item: how far it is, how quickly it goes, and whether all is with the server.
import { count } from "../workbench/dom.js";
import { SIZES } from "./preferences.js";
import { isOneKey } from "./form_values.js";

/** A pace is told from so many on; a longer pause than this was a break. */
const PACE_FROM = 5;
const PACE_OF = 30;
const BREAK_MS = 5 * 60_000;

export function mountBar({ root, boot, session, hand, preferences }) {
  const text = root.querySelector("#lb-progress-text");
  const meter = root.querySelector("#lb-progress");
  const pace = new Pace();
  const draw = () => {
    root.dataset.ahead = hand.ahead.length;
    if (!hand.progress) return;
    const { done, total, mine } = hand.progress;
    meter.max = Math.max(total, 1);
    meter.value = done;
    const perHour = pace.perHour();
    const parts = [`${count(done)} of ${count(total)} judged`, `${count(mine)} by you`];
    if (perHour) parts.push(`about ${count(perHour)} an hour`);
    text.textContent = parts.join(" · ");
  };
  hand.addEventListener("state", draw);
  session.outbox.addEventListener("sent", ({ detail: { entry, answer } }) => {
    if (answer?.progress && entry.queue === boot.queue.slug) hand.progress = answer.progress;
    draw();
  });
  session.addEventListener("sent", ({ detail }) => {
    if (detail.kind === "submit") pace.add();
    draw();
  });
  settings(root, boot, preferences);
  return undefined;
}

class Pace {
  constructor() {
    this.times = [];
  }

  add() {
    const now = performance.now();
    if (this.times.length && now - this.times.at(-1) > BREAK_MS) this.times = [];
    this.times = [...this.times, now].slice(-PACE_OF);
  }

  /** Rounded to ten: it is a feeling, not a measurement. 0 where it is not known yet. */
  perHour() {
    if (this.times.length < PACE_FROM) return 0;
    const each = (this.times.at(-1) - this.times[0]) / (this.times.length - 1);
    return Math.round(3_600_000 / each / 10) * 10;
  }
}

function settings(root, boot, preferences) {
  const size = root.querySelector("#lb-size");
  const boxes = { side: root.querySelector("#lb-side"), atOnce: root.querySelector("#lb-at-once") };
  const view = root.querySelector("#lb-markdown");
  boxes.atOnce.closest("[data-setting]").hidden = !isOneKey(boot.form);
  size.max = SIZES.length - 1;
  const draw = () => {
    size.value = preferences.get("size");
    size.setAttribute("aria-valuetext", SIZES[preferences.get("size")]);
    for (const [name, box] of Object.entries(boxes)) box.checked = preferences.get(name);
    view.checked = preferences.get("view") === "markdown";
    root.dataset.size = preferences.get("size");
    root.dataset.side = preferences.get("side");
  };
  const box = root.querySelector(".lb-settings");
  document.addEventListener("pointerdown", ({ target }) => box.contains(target) || (box.open = false));
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !box.open) return;
    box.open = false;
    box.querySelector("summary").focus();
  });
  size.addEventListener("input", () => preferences.set("size", Number(size.value)));
  for (const [name, box] of Object.entries(boxes))
    box.addEventListener("change", () => preferences.set(name, box.checked));
  view.addEventListener("change", () => preferences.set("view", view.checked ? "markdown" : "plain"));
  preferences.addEventListener("change", draw);
  draw();
}
