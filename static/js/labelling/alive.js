// Signs of life keep the items ours while somebody is at the page; after a long absence they are asked for again.
import { exchange, laterWhy } from "./exchange.js";

const EVERY_MS = 60_000;
/** Without a key or a movement for so long, nobody is there: the lease may run out. */
const THERE_MS = 10 * 60_000;
const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel", "touchstart"];

export function mountAlive({ addresses, session, hand, outbox }) {
  let seen = Date.now();
  let sent = Date.now();
  const beat = async () => {
    sent = Date.now();
    const works = [session.current, ...hand.ahead].filter((work) => work && !work.lost && !work.withdrawn);
    for (const work of works) {
      const { id, lease } = work;
      const { status, body } = await exchange("POST", addresses.of("alive", id), { lease });
      if (laterWhy(status)) return;
      if (status === 200) work.heldAt = Date.now();
      else if (status === 404 || status === 409) await session.notHeld(id, body.detail);
    }
  };
  const sign = () => {
    const now = Date.now();
    const wasAway = now - seen > THERE_MS;
    seen = now;
    session.current?.look();
    if (wasAway) beat();
  };
  const shown = () => {
    if (document.hidden) {
      session.current?.lookAway();
      return;
    }
    seen = Date.now();
    session.current?.look();
    outbox.poke({ now: true });
    if (hand.trouble) hand.fill();
    if (Date.now() - sent > EVERY_MS) beat();
  };
  const timer = setInterval(() => {
    if (!document.hidden && Date.now() - seen < THERE_MS) beat();
  }, EVERY_MS);
  for (const name of SIGNS) addEventListener(name, sign, { passive: true });
  document.addEventListener("visibilitychange", shown);
  addEventListener("focus", shown);
  return () => {
    clearInterval(timer);
    for (const name of SIGNS) removeEventListener(name, sign);
    document.removeEventListener("visibilitychange", shown);
    removeEventListener("focus", shown);
  };
}
