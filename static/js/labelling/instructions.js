// What the queue's maker asks for: open the first time, then as it was left.
import { renderMarkdown } from "../workbench/markdown.js";

export function mountInstructions({ root, boot, records }) {
  const place = root.querySelector("#lb-instructions");
  if (!boot.queue.instructions) return undefined;
  const key = `instructions ${boot.queue.slug}`;
  place.hidden = false;
  place.open = records.read(key)?.open ?? true;
  place.querySelector(".lb-instructions-text").replaceChildren(renderMarkdown(boot.queue.instructions));
  place.addEventListener("toggle", () => records.write(key, { open: place.open }));
  return undefined;
}
