// Leaving the page: what was fetched ahead and never seen goes back to the others at once. The one at hand stays ours
// until its lease runs out, as a page is often only loaded again.
import { exchange } from "./exchange.js";

export function mountLeaving({ addresses, hand }) {
  const leave = () => {
    for (const work of hand.ahead.splice(0)) {
      if (work.changed || work.reopened) continue;
      exchange("POST", addresses.of("release", work.id), { lease: work.lease }, { keepalive: true });
    }
  };
  const back = (event) => event.persisted && hand.fill();
  addEventListener("pagehide", leave);
  addEventListener("pageshow", back);
  return () => {
    removeEventListener("pagehide", leave);
    removeEventListener("pageshow", back);
  };
}
