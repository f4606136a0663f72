// Saving a column as the next version: its note, the labels that move onto it, and what it changes.
import { notify } from "../notices.js";
import { ApiError } from "./api.js";
import { showDifferences } from "./differences.js";
import { announce, el } from "./dom.js";
import { openMerge } from "./merge.js";
import { sentencesOf, timeOf } from "./words.js";

const ME = "saving";
const NOTHING = { messages: [], model: "", stop: "", extra: "", tools: "", response_schema: "" };

/** The version that a save of this column comes after: the one it began from, or was put on top of. */
export const parentOf = (column) => column.parent ?? column.base;

class Saving {
  constructor(context) {
    this.context = context;
    this.dialog = context.root.querySelector("#wbs-dialog");
    this.note = this.dialog.querySelector("#wbs-note");
    this.which = this.dialog.querySelector("#wbs-column");
    this.newLabel = this.dialog.querySelector("#wbs-label");
    this.errors = this.dialog.querySelector("[data-errors]");
    this.go = this.dialog.querySelector("[data-go]");
    this.notice = el("div", {
      class: "wbs-notice",
      role: "region",
      "aria-label": "A newer version",
      hidden: true,
    });
    context.root.querySelector("#wb-bar").after(this.notice);
    this.latest = context.boot.kept.latest;
  }

  start() {
    const { root, store } = this.context;
    const listen = (target, event, heard) => {
      target.addEventListener(event, heard);
      return () => target.removeEventListener(event, heard);
    };
    const open = root.querySelector("#wbs-open");
    const undo = [
      listen(open, "click", () => this.open()),
      listen(this.dialog.querySelector("[data-close]"), "click", () => this.dialog.close()),
      listen(this.dialog.querySelector("form"), "submit", (event) => this.submit(event)),
      listen(this.which, "change", () => this.showDiff()),
      listen(this.dialog, "close", () => this.closed()),
      listen(root, "workbench:latest", ({ detail }) => this.hearOfLatest(detail)),
      store.on(["columns", "selected", "merging"], () => this.showNotice()),
      () => this.notice.remove(),
    ];
    this.showNotice();
    return () => undo.forEach((step) => step());
  }

  get column() {
    return this.context.store.column(this.which.value) ?? this.context.store.draft;
  }

  // --- the dialogue ---

  async open() {
    if (this.dialog.open) this.dialog.querySelector("form").requestSubmit();
    if (document.querySelector("dialog[open]")) return;
    this.context.flush();
    const { columns, draft } = this.context.store;
    const titles = columns.map((column) => el("option", { value: column.id, text: this.titleOf(column) }));
    this.which.replaceChildren(...titles);
    this.which.value = draft.id;
    this.dialog.querySelector("[data-which]").hidden = columns.length < 2;
    this.errors.hidden = true;
    this.dialog.showModal();
    this.note.focus();
    await Promise.all([this.showDiff(), this.showLabels()]);
  }

  titleOf(column) {
    const place = this.context.store.columns.indexOf(column) + 1;
    return place === 1 ? "The draft" : `Column ${place}: ${this.context.columns.title(column)}`;
  }

  async showDiff() {
    const { column } = this;
    const place = this.dialog.querySelector("[data-diff]");
    const title = this.dialog.querySelector("[data-diff-title]");
    this.takeDown?.();
    this.takeDown = undefined;
    place.replaceChildren();
    try {
      const number = parentOf(column);
      const before = number === null ? NOTHING : await this.context.columns.versionTyped(number);
      if (!this.dialog.open || this.column !== column) return;
      title.textContent = number === null ? "The first version" : `What changes since version ${number}`;
      const names = [number === null ? "Nothing" : `Version ${number}`, this.titleOf(column)];
      this.takeDown = showDifferences(place, {
        before,
        after: column.typed,
        names,
        nonce: this.context.nonce,
      });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      place.replaceChildren(el("p", { class: "text-secondary", text: error.message }));
    }
  }

  async showLabels() {
    try {
      const found = await this.context.api.get("save");
      if (found) this.drawLabels(found);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  drawLabels({ labels, protected: names }) {
    const rows = labels.map(({ name, number, may_move: mayMove }) => {
      const box = el("input", {
        class: "form-check-input",
        type: "checkbox",
        value: name,
        disabled: !mayMove,
      });
      const words = `${name}, now on version ${number}${mayMove ? "" : ", protected"}`;
      return el(
        "label",
        { class: "form-check" },
        box,
        el("span", { class: "form-check-label", text: words }),
      );
    });
    this.dialog.querySelector("[data-label-list]").replaceChildren(...rows);
    this.dialog.querySelector("[data-labels]").hidden = !rows.length;
    const hint = this.dialog.querySelector("[data-protected]");
    hint.hidden = labels.every((label) => label.may_move);
    hint.textContent = `Only an approver or an admin moves protected labels: ${names.join(", ")}.`;
  }

  get labels() {
    const boxes = this.dialog.querySelectorAll("[data-label-list] input:checked");
    return [...boxes].map((box) => box.value).concat(this.newLabel.value.trim() || []);
  }

  // --- saving ---

  async submit(event) {
    event.preventDefault();
    const { column, labels } = this;
    const note = this.note.value;
    this.errors.hidden = true;
    this.go.disabled = true;
    try {
      const saved = await saveVersion(this.context, { column, note, labels });
      this.dialog.close();
      this.note.value = this.newLabel.value = "";
      this.hearOfLatest({ number: saved.number });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.body.code === "stale_parent") {
        this.dialog.close();
        this.hearOfLatest(error.body.theirs);
        openMerge(this.context, { column, note, labels, conflict: error.body });
      } else {
        this.refuse(error, column, labels);
      }
    } finally {
      this.go.disabled = false;
    }
  }

  /** Said here, and at the fields that it is about, for whoever closes the dialogue. */
  refuse(error, column, labels) {
    const sentences = sentencesOf(error);
    if (error.body.code === "nothing_changed" && labels.length) {
      sentences.push("Labels move onto a saved version in the list of versions.");
    }
    this.errors.replaceChildren(...sentences.map((text) => el("div", { text })));
    this.errors.hidden = false;
    this.errors.scrollIntoView({ block: "nearest" });
    const found = error.body.errors ?? {};
    if (!Object.keys(found).length) return;
    if (column !== this.context.store.selected) this.context.columns.select(column.id);
    this.context.checks.refused(column.id, found);
    this.isRefused = true;
  }

  closed() {
    this.takeDown?.();
    if (!this.isRefused) return;
    this.isRefused = false;
    const { root } = this.context;
    root
      .querySelector(".wb-message-wrong .cm-content, #wb-parts .is-invalid, #wb-parts .wb-wrong .cm-content")
      ?.focus();
  }

  // --- a newer version ---

  hearOfLatest(latest) {
    if (!latest || latest.number === this.latest?.number) return;
    this.latest = latest;
    this.context.boot.latest = latest.number;
    this.showNotice();
    this.context.root.dispatchEvent(new CustomEvent("workbench:versions"));
  }

  /** The draft began from an older version than the newest, or a merge was put off: say so, and offer both. */
  showNotice() {
    const { draft, document: held } = this.context.store;
    const { latest } = this;
    const began = parentOf(draft);
    const isOld = latest && (began ?? 0) < latest.number;
    this.notice.hidden = !isOld;
    if (!isOld) return;
    const who = latest.author ? ` by ${latest.author}` : "";
    const when = latest.saved_at ? `, ${timeOf(latest.saved_at)}` : "";
    const from = began ? `version ${began}` : "nothing";
    const merging = held.merging?.column === draft.id && held.merging.theirs === latest.number;
    const words = `Version ${latest.number} was saved${who}${when}; your draft began from ${from}.`;
    const merge = el("button", {
      type: "button",
      class: "btn btn-sm",
      text: merging ? "Go on merging" : "Put the two together",
      on: { click: () => this.bringTogether() },
    });
    const show = el("button", {
      type: "button",
      class: "btn btn-sm",
      text: "Show what differs",
      on: {
        click: () =>
          this.context.root.dispatchEvent(
            new CustomEvent("workbench:compare", { detail: [latest.number, "draft"] }),
          ),
      },
    });
    this.notice.replaceChildren(el("span", { text: words }), show, merge);
  }

  /** Saving from an older version never writes: the answer is what is needed to put the two together. */
  async bringTogether() {
    const column = this.context.store.draft;
    this.context.flush();
    try {
      await saveVersion(this.context, { column, note: "", labels: [] });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.body.code === "stale_parent") {
        const kept = this.context.store.document.merging;
        openMerge(this.context, {
          column,
          note: kept?.note ?? "",
          labels: kept?.labels ?? [],
          conflict: error.body,
        });
      } else if (error.body.code === "nothing_changed") {
        this.context.store.change(ME, ["columns"], () => {
          column.base = error.body.number;
          delete column.parent;
        });
        notify({ detail: `Your draft is the same as version ${error.body.number}.` });
      } else {
        notify({ level: "warning", title: error.body.title, detail: sentencesOf(error).join(" ") });
      }
    }
  }
}

/**
 * Save the column's text, or `typed` in its place after version `parent`; the column then stands on what was saved.
 * Raises ApiError.
 */
export async function saveVersion(context, { column, note, labels, typed, parent }) {
  context.flush();
  const sent = structuredClone(typed ?? column.typed);
  const after = parent === undefined ? parentOf(column) : parent;
  const saved = await context.api.post("save", { typed: sent, note, parent: after, labels });
  if (!saved)
    throw new ApiError(401, { detail: "You are signed out. Sign in in another tab, then save again." });
  settle(context, { column, sent, saved, note, replace: typed !== undefined });
  const moved = saved.labels.length ? ` Labels: ${saved.labels.join(", ")}.` : "";
  notify({ level: "success", detail: `Version ${saved.number} is saved.${moved}` });
  announce(context, `Version ${saved.number} is saved.`);
  context.root.dispatchEvent(new CustomEvent("workbench:saved", { detail: saved }));
  return saved;
}

function settle(context, { column, sent, saved, note, replace }) {
  const { boot, columns, store } = context;
  columns.bases.set(saved.number, saved.typed);
  boot.latest = saved.number;
  boot.versions?.unshift({ number: saved.number, note, labels: saved.labels });
  // What was typed while the save was under way stays, as a draft on top of it.
  const untouched = JSON.stringify(column.typed) === JSON.stringify(sent);
  const rewrite = replace || (untouched && JSON.stringify(sent) !== JSON.stringify(saved.typed));
  store.change(ME, rewrite ? ["all"] : ["columns"], (document) => {
    column.base = saved.number;
    delete column.parent;
    if (rewrite) column.typed = structuredClone(saved.typed);
    if (document.merging?.column === column.id) delete document.merging;
  });
  const evaluate = document.querySelector("#wb-evaluate");
  if (evaluate) {
    const url = new URL(evaluate.href);
    url.searchParams.set("version", saved.number);
    evaluate.href = url.href;
    evaluate.hidden = false;
  }
  context.drafts?.send();
}

export function mountSaving(context) {
  return new Saving(context).start();
}
