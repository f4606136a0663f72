// The prompts that the selected column includes: which version each stands for, and where a label moved since.
import { el } from "./dom.js";

class Includes {
  constructor(context) {
    this.context = context;
    this.place = context.root.querySelector("#wb-includes");
    this.undo = [
      context.checks.on((result, id) => id === context.store.selected.id && this.draw(result)),
      context.store.on(["selected"], () => this.draw(context.checks.result(context.store.selected.id))),
    ];
  }

  draw(result) {
    const includes = result?.includes ?? [];
    this.place.hidden = includes.length === 0;
    this.place.replaceChildren(...includes.map((include) => this.row(include)));
  }

  row(include) {
    const link = el("a", { href: include.url, text: `${include.prompt}, version ${include.version}` });
    const words = [el("code", { text: include.reference }), " stands for ", link];
    if (include.through) words.push(`, included by ${include.through}`);
    if (include.moved_to) words.push(el("span", { class: "wb-moved", text: this.moved(include) }));
    return el("li", {}, ...words);
  }

  moved({ reference, version, moved_to: now }) {
    const { base } = this.context.store.selected;
    return ` ${reference} is version ${now} now; version ${base} keeps ${version}. Save to take version ${now}.`;
  }
}

export function mountIncludes(context) {
  const includes = new Includes(context);
  return () => includes.undo.forEach((step) => step());
}
