// The page on which a queue's items are judged, loaded only there. Each part is a function of (context) that wires one
// region of the page.
import { mountAlive } from "./labelling/alive.js";
import { mountBar } from "./labelling/bar.js";
import { mountEnding } from "./labelling/ending.js";
import { Addresses } from "./labelling/exchange.js";
import { mountForm } from "./labelling/form.js";
import { Hand } from "./labelling/hand.js";
import { mountInstructions } from "./labelling/instructions.js";
import { mountItem } from "./labelling/item.js";
import { mountKeys } from "./labelling/keys.js";
import { mountLeaving } from "./labelling/leaving.js";
import { ItemLocks } from "./labelling/locks.js";
import { Outbox } from "./labelling/outbox.js";
import { Past } from "./labelling/past.js";
import { Preferences } from "./labelling/preferences.js";
import { Records } from "./labelling/records.js";
import { sender } from "./labelling/sending.js";
import { Session } from "./labelling/session.js";
import { mountSkip } from "./labelling/skip.js";
import { mountStrip } from "./labelling/strip.js";
import { mountTrouble } from "./labelling/trouble.js";

/**
 * In the order in which they are wired; a part may return a function that undoes it. What they share, in `context`:
 * root; boot (user, project, queue, form, urls); records, this browser's; outbox, what waits to be sent; session, the
 * item at hand; hand, those that come next; preferences; `announce(sentence)`; and from those above: form, skip.
 */
const PARTS = [
  mountInstructions,
  mountItem,
  mountForm,
  mountBar,
  mountStrip,
  mountTrouble,
  mountEnding,
  mountSkip,
  mountKeys,
  mountAlive,
  mountLeaving,
];

/**
 * Wire the page up.
 * @param {HTMLElement} root the element that holds the whole page
 * @returns {() => void} takes everything down again
 */
export function mountLabelling(root) {
  const boot = JSON.parse(root.querySelector("#labelling-boot").textContent);
  const records = new Records(`${boot.user} ${boot.project}`);
  const addresses = new Addresses(boot.urls);
  const outbox = new Outbox(records, sender(addresses, boot.user));
  const locks = new ItemLocks();
  const session = new Session({ boot, addresses, outbox, locks, past: new Past(addresses) });
  const hand = new Hand({ boot, addresses, outbox, locks, current: () => session.current });
  const status = root.querySelector("#lb-status");
  const announce = (sentence) => (status.textContent = sentence);
  const preferences = new Preferences(records);
  const context = { root, boot, records, addresses, outbox, locks, session, hand, preferences, announce };
  session.begin(hand);
  const undo = PARTS.map((mount) => mount(context));
  outbox.poke({ now: true });
  return () => {
    undo.forEach((step) => step?.());
    hand.close();
    outbox.close();
    locks.leaveAll();
  };
}
