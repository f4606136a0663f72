// Dragging the items of a list by their handles, with mouse, pen or finger.

/**
 * @param {HTMLElement} list whose children carry a [data-move] handle
 * @param {(from: number, to: number) => void} moved called once, when an item was put down
 * @returns {() => void} stops it
 */
export function makeMovable(list, moved) {
  let drag = null;

  const begin = (event) => {
    const handle = event.target.closest("[data-move]");
    if (!handle || !list.contains(handle) || event.button !== 0) return;
    const item = itemOf(list, handle);
    drag = { item, handle, from: [...list.children].indexOf(item), pointer: event.pointerId };
    handle.setPointerCapture(event.pointerId);
    item.classList.add("wb-dragged");
  };
  const follow = (event) => {
    if (!drag || event.pointerId !== drag.pointer) return;
    event.preventDefault();
    placeAt(list, drag.item, event.clientY);
  };
  const end = (event, stays = false) => {
    if (!drag) return;
    const { item, from } = drag;
    drag = null;
    item.classList.remove("wb-dragged");
    const to = [...list.children].indexOf(item);
    if (stays) moved(from, from);
    else if (to !== from) moved(from, to);
  };
  const cancel = (event) => {
    if (!drag || (event.type === "keydown" && event.key !== "Escape")) return;
    event.preventDefault();
    end(event, true);
  };

  const heard = {
    pointerdown: begin,
    pointermove: follow,
    pointerup: end,
    pointercancel: cancel,
    keydown: cancel,
  };
  for (const [name, listener] of Object.entries(heard)) list.addEventListener(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(heard)) list.removeEventListener(name, listener);
  };
}

function itemOf(list, handle) {
  return [...list.children].find((child) => child.contains(handle));
}

/**
 * Before the first item whose middle is below the pointer. The others make room for the item: one that is itself
 * taken out and put back loses the pointer that it has captured.
 */
function placeAt(list, item, y) {
  const isBelow = (child) => {
    const box = child.getBoundingClientRect();
    return y < box.top + box.height / 2;
  };
  const others = [...list.children].filter((child) => child !== item);
  for (const child of others) {
    const after = isBelow(child);
    const isAfter = Boolean(item.compareDocumentPosition(child) & Node.DOCUMENT_POSITION_FOLLOWING);
    if (after && !isAfter)
      item.after(...others.slice(others.indexOf(child)).filter((one) => precedes(one, item)));
    else if (!after && isAfter) item.before(child);
  }
}

const precedes = (one, other) =>
  Boolean(other.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING);
