// Somebody saved meanwhile: their version beside what the two make together, to choose piece by piece.
import { ApiError } from "./api.js";
import { aligned, sameMessage } from "./aligning.js";
import { OF_MESSAGE, TEXTS, VALUES } from "./differences.js";
import { debounced, el } from "./dom.js";
import { ChoiceUnit, LoneMessageUnit, TextUnit } from "./merge_units.js";
import { notify } from "../notices.js";
import { saveVersion } from "./saving.js";
import { sentencesOf, timeOf } from "./words.js";

const ME = "merge";
const KEEP_MS = 500;

class Merge {
  constructor(context, { column, note, labels, conflict }) {
    Object.assign(this, { context, column, note, labels, conflict });
    this.theirs = conflict.theirs;
    this.dialog = context.root.querySelector("#wbm-dialog");
    this.place = this.dialog.querySelector("[data-units]");
    this.errors = this.dialog.querySelector("[data-errors]");
    this.mine = structuredClone(column.typed);
    const kept = context.store.document.merging;
    const goesOn = kept?.column === column.id && kept.theirs === this.theirs.number;
    this.begun = structuredClone(goesOn ? kept.typed : conflict.suggestion);
    this.units = [];
    this.keep = debounced(() => this.write(), KEEP_MS);
  }

  open() {
    const { theirs, dialog } = this;
    const who = theirs.is_own ? "You" : theirs.author || "Somebody";
    const began = this.conflict.base ? `version ${this.conflict.base.number}` : "nothing";
    const said = theirs.note ? ` (“${theirs.note}”)` : "";
    dialog.querySelector("#wbm-title").textContent =
      `${who} saved version ${theirs.number} while you were editing`;
    dialog.querySelector("[data-text]").textContent =
      `It was saved ${timeOf(theirs.saved_at)}${said}; you began from ${began}. Nothing is lost. Left is theirs, ` +
      `right what will be saved: your changes, and theirs where you had changed nothing.`;
    dialog.querySelector("[data-save]").textContent = `Save on top of version ${theirs.number}`;
    dialog.querySelector("[data-theirs]").textContent = `Drop mine, go on from version ${theirs.number}`;
    this.errors.hidden = true;
    this.draw();
    this.listen();
    dialog.showModal();
    this.units.forEach((unit) => unit.start());
    this.write();
  }

  listen() {
    const { dialog } = this;
    this.controller = new AbortController();
    const { signal } = this.controller;
    const on = (selector, act) => dialog.querySelector(selector).addEventListener("click", act, { signal });
    on("[data-later]", () => dialog.close());
    on("[data-theirs]", () => this.takeTheirs());
    on("[data-edit]", () => this.goOnEditing());
    on("[data-save]", () => this.save());
    dialog.addEventListener("close", () => this.close(), { signal, once: true });
  }

  close() {
    this.keep.flush();
    this.controller.abort();
    this.units.forEach((unit) => unit.destroy());
    this.place.replaceChildren();
  }

  // --- the pieces ---

  draw() {
    const { begun, mine, theirs } = this;
    const conflicts = new Set(this.conflict.conflicts);
    const changed = () => this.keep();
    this.messages = this.messageUnits(conflicts, changed);
    this.values = Object.entries(VALUES).map(([part, title]) => {
      const isConflict = conflicts.has(`parameters.${part}`);
      return [
        part,
        new ChoiceUnit({ title, isConflict, changed, ...this.three(part, theirs.typed, begun, mine) }),
      ];
    });
    this.texts = Object.entries(TEXTS).map(([part, title]) => {
      const isConflict = conflicts.has(part) || conflicts.has(`parameters.${part}`);
      const language = part === "stop" ? "text" : "json";
      const three = this.three(part, theirs.typed, begun, mine);
      return [part, this.textUnit({ title, language, isConflict, changed, ...three })];
    });
    const ofMessages = this.messages.flatMap(({ units }) => units);
    this.units = [...ofMessages, ...[...this.values, ...this.texts].map(([, unit]) => unit)];
    const shown = this.units.filter((unit) => unit.differs);
    this.place.replaceChildren(...shown.map((unit) => unit.element));
    this.sayConflicts(shown.length);
  }

  three(part, theirs, begun, mine) {
    return { theirs: theirs[part] ?? "", begun: begun[part] ?? "", mine: mine[part] ?? "" };
  }

  textUnit(options) {
    return new TextUnit({ ...options, nonce: this.context.nonce, number: this.theirs.number });
  }

  /** For each message of the result or of theirs: what is chosen in it, and how its value is put together. */
  messageUnits(conflicts, changed) {
    const theirs = this.theirs.typed.messages;
    const begun = this.begun.messages;
    const ofMine = new Map(aligned(begun, this.mine.messages).filter(([i]) => i !== null));
    return aligned(theirs, begun).map(([i, j]) => {
      if (i === null || j === null) return this.lone(theirs[i], begun[j], (j ?? i) + 1, changed);
      const mine = this.mine.messages[ofMine.get(j)] ?? begun[j];
      return this.paired({ theirs: theirs[i], begun: begun[j], mine, number: j + 1, conflicts, changed });
    });
  }

  lone(theirs, begun, number, changed) {
    const unit = new LoneMessageUnit({
      message: theirs ?? begun,
      isTheirs: Boolean(theirs),
      number,
      changed,
    });
    return { units: [unit], value: () => unit.value };
  }

  paired({ theirs, begun, mine, number, conflicts, changed }) {
    const place = `messages[${number - 1}]`;
    const isConflict = conflicts.has(place) || conflicts.has("messages");
    const name = `Message ${number} · ${begun.role}`;
    const units = {};
    if (!sameMessage(theirs, begun) || !sameMessage(theirs, mine)) {
      units.content = this.textUnit({
        title: name,
        language: "jinja",
        isConflict,
        changed,
        ...this.three("content", theirs, begun, mine),
      });
      for (const [part, title] of Object.entries(OF_MESSAGE)) {
        const three = this.three(part, theirs, begun, mine);
        units[part] = new ChoiceUnit({ title: `${name}: ${title}`, isConflict, changed, ...three });
      }
    }
    const value = () => ({
      ...begun,
      ...Object.fromEntries(Object.entries(units).map(([part, unit]) => [part, unit.value])),
    });
    return { units: Object.values(units), value };
  }

  sayConflicts(shown) {
    const wrong = this.units.filter((unit) => unit.differs && unit.isConflict).length;
    const place = this.dialog.querySelector("[data-conflicts]");
    if (!shown) place.textContent = "What the two make together is the same as theirs.";
    else if (wrong)
      place.textContent =
        "You both changed what is marked “both changed”: there yours stands until you choose.";
    else place.textContent = "You changed different things, so there is nothing that you must choose.";
  }

  get typed() {
    const parts = [...this.values, ...this.texts].map(([part, unit]) => [part, unit.value]);
    const messages = this.messages.map(({ value }) => value()).filter(Boolean);
    return { ...this.begun, messages, ...Object.fromEntries(parts) };
  }

  // --- keeping, and what comes of it ---

  /** The draft holds the merge as far as it is, beside what was typed. */
  write() {
    const { column, note, labels, theirs } = this;
    if (this.done) return;
    this.context.store.change(ME, ["merging"], (document) => {
      document.merging = { column: column.id, theirs: theirs.number, note, labels, typed: this.typed };
    });
  }

  finish(typed, parent) {
    const { column } = this;
    const before = { typed: this.mine, base: column.base, parent: column.parent };
    this.done = true;
    this.context.store.change(ME, ["all"], (document) => {
      Object.assign(column, { typed: structuredClone(typed), base: parent });
      delete column.parent;
      delete document.merging;
    });
    this.context.columns.bases.set(this.theirs.number, this.theirs.typed);
    this.dialog.close();
    return before;
  }

  takeTheirs() {
    this.offerBack(
      this.finish(this.theirs.typed, this.theirs.number),
      `You go on from version ${this.theirs.number}.`,
    );
  }

  goOnEditing() {
    const before = this.finish(this.typed, this.theirs.number);
    this.offerBack(before, `The draft is on top of version ${this.theirs.number} now.`);
  }

  offerBack(before, sentence) {
    this.context.offerUndo(sentence, () =>
      this.context.store.change(ME, ["all"], () => {
        Object.assign(this.column, before);
        if (before.parent === undefined) delete this.column.parent;
      }),
    );
  }

  async save() {
    const { column, note, labels, theirs, typed } = this;
    try {
      await saveVersion(this.context, { column, note, labels, typed, parent: theirs.number });
      this.done = true;
      this.dialog.close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.body.code === "stale_parent") {
        // Once more somebody was quicker: what was chosen so far is what is now put on top of theirs.
        this.finish(typed, theirs.number);
        openMerge(this.context, { column, note, labels, conflict: error.body });
        notify({ level: "warning", detail: "Meanwhile one more version was saved." });
        return;
      }
      this.errors.replaceChildren(...sentencesOf(error).map((text) => el("div", { text })));
      this.errors.hidden = false;
      this.errors.scrollIntoView({ block: "nearest" });
    }
  }
}

/** @param {{column, note: string, labels: string[], conflict: object}} edit `conflict`: the server's answer */
export function openMerge(context, edit) {
  new Merge(context, edit).open();
}
