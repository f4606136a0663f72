// The versions at the left: searched, picked by two to see what differs, opened in the editor, given a label.
import { ask } from "../dialogs.js";
import { notify } from "../notices.js";
import { ApiError } from "./api.js";
import { showDifferences } from "./differences.js";
import { announce, debounced, el } from "./dom.js";
import { moveLabel } from "./label_moving.js";

const ME = "timeline";
const SEARCH_MS = 250;
const nameOf = (pick) => (pick === "draft" ? "Draft" : `Version ${pick}`);

class Timeline {
  constructor(context) {
    this.context = context;
    const { root } = context;
    this.region = root.querySelector("#wb-timeline");
    this.list = root.querySelector("#wbt-list");
    this.search = root.querySelector("#wbt-search");
    this.compare = root.querySelector("#wbt-compare");
    this.status = root.querySelector("#wbt-status");
    this.diff = root.querySelector("#wbt-diff");
    this.draftFacts = root.querySelector("#wbt-draft");
    this.picks = [];
  }

  start() {
    const listen = (target, event, heard) => {
      target.addEventListener(event, heard);
      return () => target.removeEventListener(event, heard);
    };
    const { root, store } = this.context;
    const find = debounced(() => this.load(), SEARCH_MS);
    const undo = [
      listen(this.search, "input", find),
      listen(this.region, "change", (event) => this.onPick(event)),
      listen(this.region, "click", (event) => this.onClick(event)),
      listen(this.region, "keydown", (event) => this.onKey(event)),
      listen(this.region, "focusin", (event) => this.onFocus(event)),
      listen(this.compare, "click", () => this.openDiff()),
      listen(this.diff, "click", (event) => this.onDiffClick(event)),
      listen(this.diff, "close", () => this.takeDown?.()),
      listen(root, "workbench:saved", () => this.load()),
      listen(root, "workbench:versions", () => this.load()),
      listen(root, "workbench:compare", ({ detail }) => this.openDiff(detail)),
      store.on(["columns", "messages", "parameters", "tools", "response_schema", "model", "titles"], () =>
        this.showDraft(),
      ),
      () => find.cancel(),
      () => this.loading?.abort(),
    ];
    this.showDraft();
    this.load().then(() => this.openAsked());
    return () => undo.forEach((step) => step());
  }

  // --- the list ---

  /** Read the versions anew; with `before`, those older than that number after the ones that are there. */
  async load(before = "") {
    this.loading?.abort();
    this.loading = new AbortController();
    const { signal } = this.loading;
    const query = Object.fromEntries(
      Object.entries({ q: this.search.value.trim(), before }).filter(([, text]) => text),
    );
    try {
      const answer = await fetch(this.context.api.url("timeline", {}, query), { signal });
      const isList = answer.ok && !answer.redirected;
      if (!isList) throw new Error(`The server answered ${answer.status}.`);
      this.put(await answer.text(), Boolean(before));
    } catch (error) {
      if (error.name === "AbortError") return;
      const again = el("button", {
        type: "button",
        class: "btn btn-sm",
        text: "Try again",
        on: { click: () => this.load(before) },
      });
      const note = el(
        "li",
        { class: "wbt-empty", "data-failed": true },
        "The versions could not be read. ",
        again,
      );
      if (before) this.list.append(note);
      else this.list.replaceChildren(note);
    }
  }

  put(html, appended) {
    const rows = new DOMParser()
      .parseFromString(`<ol>${html}</ol>`, "text/html")
      .querySelector("ol").children;
    const found = [...rows].map((row) => document.importNode(row, true));
    const holding = this.list.contains(document.activeElement)
      ? this.rowOf(document.activeElement)?.dataset.version
      : null;
    if (appended) this.list.querySelector(".wbt-older")?.remove();
    else this.list.replaceChildren();
    this.list.append(...found);
    this.showPicks();
    this.showCurrent();
    const first = appended ? found[0] : this.rows().find((row) => row.dataset.version === holding);
    if (appended || holding) first?.querySelector("[data-name]")?.focus();
    const count = this.list.querySelectorAll(".wbt-row").length;
    if (this.search.value)
      this.status.textContent = `${count} ${count === 1 ? "version" : "versions"} found.`;
  }

  rows() {
    return [...this.region.querySelectorAll(".wbt-row")];
  }

  rowOf(element) {
    return element.closest(".wbt-row");
  }

  /** Which of the versions the columns began from. */
  showCurrent() {
    const bases = new Set(this.context.store.columns.map((column) => String(column.base)));
    for (const row of this.rows()) row.toggleAttribute("data-current", bases.has(row.dataset.version));
  }

  showDraft() {
    this.showCurrent();
    if (!this.draftFacts) return;
    const { draft } = this.context.store;
    const began = draft.base === null ? "Not saved yet" : `From version ${draft.base}`;
    const state = draft.base !== null && !this.context.columns.isChanged(draft) ? "Unchanged since" : began;
    this.draftFacts.textContent = state === began ? began : `${state} version ${draft.base}`;
  }

  // --- picking two ---

  onPick({ target }) {
    const pick = target.dataset?.pick;
    if (!pick) return;
    this.picks = this.picks.filter((one) => one !== pick);
    if (target.checked) this.picks = [...this.picks, pick].slice(-2);
    this.showPicks();
    const words = this.picks.map(nameOf).join(" and ");
    announce(this.context, words ? `Picked: ${words}.` : "Nothing is picked.");
  }

  showPicks() {
    for (const box of this.region.querySelectorAll("[data-pick]"))
      box.checked = this.picks.includes(box.dataset.pick);
    this.compare.disabled = this.picks.length < 2;
  }

  // --- keys ---

  onFocus({ target }) {
    const row = this.rowOf(target);
    if (row) this.at = row.dataset.version;
  }

  onKey(event) {
    const row = this.rowOf(event.target);
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (step) {
      event.preventDefault();
      this.focusRow(row, step);
    } else if (event.key === "x") {
      event.preventDefault();
      row.querySelector("[data-pick]").click();
    } else if (event.key === "Escape") {
      const menu = event.target.closest("details[open]");
      if (!menu) return;
      menu.open = false;
      menu.querySelector("summary").focus();
      event.stopPropagation();
    }
  }

  focusRow(row, step) {
    const rows = this.rows();
    const next = rows[rows.indexOf(row) + step];
    if (next) (next.querySelector("[data-name]") ?? next.querySelector("[data-pick]")).focus();
    else if (step > 0) this.list.querySelector("[data-before]")?.focus();
  }

  // --- what is done with one ---

  onClick({ target }) {
    const older = target.closest("[data-before]");
    if (older) this.load(older.dataset.before);
    const button = target.closest("[data-do]");
    if (!button) return;
    button.closest("details").open = false;
    const number = Number(button.dataset.number);
    const acts = { edit: () => this.edit(number), column: () => this.context.columns.addVersion(number) };
    acts.label = () => moveLabel(this.context, number, () => this.load());
    acts[button.dataset.do]();
  }

  /** Put a version into the draft, to be saved on top of the newest. */
  async edit(number) {
    const { columns, store, boot } = this.context;
    this.context.flush();
    const { draft } = store;
    const changed =
      columns.isChanged(draft) &&
      (draft.base !== null || draft.typed.messages.some(({ content }) => content));
    const question = {
      title: `Open version ${number}?`,
      text: "Your draft has changes that are not saved as a version. They can be had back right after.",
      label: `Open version ${number}`,
    };
    if (changed && !(await ask(question))) return;
    try {
      const typed = structuredClone(await columns.versionTyped(number));
      const before = { typed: draft.typed, base: draft.base, parent: draft.parent };
      const isOlder = boot.latest && number < boot.latest;
      this.set(draft, { typed, base: number, parent: isOlder ? boot.latest : undefined });
      const words = isOlder ? `, to be saved after version ${boot.latest}` : "";
      this.context.offerUndo(`The draft is version ${number} now${words}.`, () => this.set(draft, before));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      notify({ level: "danger", title: "The version is not opened", detail: error.message });
    }
  }

  set(draft, { typed, base, parent }) {
    this.context.store.change(ME, ["all"], (document) => {
      Object.assign(draft, { typed, base, parent });
      if (parent === undefined) delete draft.parent;
      document.selected = draft.id;
    });
  }

  /** ?version=3 in the page's address opens that version, once. */
  openAsked() {
    const url = new URL(location.href);
    const asked = url.searchParams.get("version");
    if (!asked || !this.context.boot.may_edit) return;
    url.searchParams.delete("version");
    history.replaceState(history.state, "", url);
    if (/^\d{1,9}$/.test(asked) && Number(asked) !== this.context.store.draft.base) this.edit(Number(asked));
  }

  // --- the difference ---

  async openDiff(picks = this.picks) {
    if (picks.length < 2 || this.diff.open) return;
    this.context.flush();
    const place = (pick) => (pick === "draft" ? Infinity : Number(pick));
    this.shown = [...picks].sort((one, other) => place(one) - place(other));
    this.diff.showModal();
    await this.drawDiff();
  }

  async drawDiff() {
    const names = this.shown.map(nameOf);
    const body = this.diff.querySelector("[data-body]");
    this.diff.querySelector("#wbt-diff-title").textContent = `${names[0]} → ${names[1]}`;
    const full = this.diff.querySelector("[data-full]");
    full.hidden = this.shown.includes("draft");
    const [old, now] = this.shown;
    full.href = this.context.api.url("diff", {}, { old, new: now });
    this.takeDown?.();
    this.takeDown = undefined;
    try {
      const [before, after] = await Promise.all(this.shown.map((pick) => this.typedOf(pick)));
      if (!this.diff.open || names.join() !== this.shown.map(nameOf).join()) return;
      this.takeDown = showDifferences(body, { before, after, names, nonce: this.context.nonce });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      body.replaceChildren(el("p", { class: "text-secondary", text: error.message }));
    }
  }

  typedOf(pick) {
    return pick === "draft"
      ? this.context.store.draft.typed
      : this.context.columns.versionTyped(Number(pick));
  }

  onDiffClick({ target }) {
    if (target.closest("[data-close]")) this.diff.close();
    if (!target.closest("[data-swap]")) return;
    this.shown.reverse();
    this.drawDiff();
  }
}

export function mountTimeline(context) {
  return new Timeline(context).start();
}
