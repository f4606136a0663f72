// What is typed goes into the document a moment later, so that a keystroke costs nothing. Whatever might read the
// document before that writes it first: a click, a key with Ctrl or ⌘, leaving the field or the page.

/** Sets `context.pending` (what waits) and `context.flush()`. */
export function mountPending(context) {
  const { root } = context;
  context.pending = new Set();
  context.flush = () => context.pending.forEach((write) => write.flush());
  const flush = context.flush;
  const onKey = (event) => (event.ctrlKey || event.metaKey) && flush();
  const heard = [
    [root, "pointerdown", flush],
    [root, "focusout", flush],
    [document, "keydown", onKey],
    [document, "visibilitychange", flush],
    [window, "pagehide", flush],
  ];
  for (const [place, name, listener] of heard) place.addEventListener(name, listener, { capture: true });
  return () => {
    flush();
    for (const [place, name, listener] of heard) place.removeEventListener(name, listener, { capture: true });
  };
}
