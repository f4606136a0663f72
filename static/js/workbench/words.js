// Times and problems as a person says them.

/** In words: the time, and the day where it is not today. */
export function timeOf(iso) {
  const date = new Date(iso);
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? time : `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, ${time}`;
}

/** "messages[1].content" as a person says it: "Message 2". */
export function placeInWords(place) {
  const found = /^messages\[(\d+)\](?:\.(\w+))?/.exec(place);
  if (!found)
    return place
      .replace(/^parameters\./, "")
      .replaceAll("_", " ")
      .replace(/^./, (first) => first.toUpperCase());
  const part = found[2] && found[2] !== "content" ? `, ${found[2].replaceAll("_", " ")}` : "";
  return `Message ${Number(found[1]) + 1}${part}`;
}

/** The place before the text, unless the text names it itself: "Message 2: …" or "Message 2, line 3: …". */
export function placed(name, text) {
  return text.startsWith(`${name}, `) || text.startsWith(`${name}: `) ? text : `${name}: ${text}`;
}

/** A problem of the server as sentences, one for each place. */
export function sentencesOf(error) {
  const found = Object.entries(error.body.errors ?? {}).flatMap(([place, texts]) =>
    texts.map((text) => placed(placeInWords(place), text)),
  );
  return found.length ? found : [error.message];
}
