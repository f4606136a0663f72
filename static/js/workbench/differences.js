// What differs between two versions as they were typed: messages and JSON side by side, the rest as a table.
import { unifiedMergeView, MergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { base } from "../editor_base.js";
import { aligned, sameMessage } from "./aligning.js";
import { el, plural } from "./dom.js";

export const VALUES = {
  model: "Model",
  temperature: "Temperature",
  top_p: "Top p",
  max_tokens: "Max tokens",
  seed: "Seed",
};
export const TEXTS = {
  stop: "Stop texts",
  extra: "Other parameters",
  tools: "Tools",
  response_schema: "Response schema",
};
export const OF_MESSAGE = {
  role: "Role",
  name: "Name",
  tool_call_id: "Answers the tool call",
  tool_calls: "Tool calls",
};
const NARROW = "(max-width: 800px)";
const COLLAPSE = { margin: 2, minSize: 6 };
/** A difference of two long texts that have little in common stops being looked for then. */
export const DIFF_LIMIT = { scanLimit: 2_000, timeout: 400 };

export function isNarrow() {
  return window.matchMedia(NARROW).matches;
}

const languageOf = (part) => (part === "stop" ? "text" : "json");

/** What all editors of a difference have; `label` says whose text it is. */
export function readingExtensions(language, nonce, label) {
  return [
    base(language, nonce),
    lineNumbers(),
    EditorView.contentAttributes.of({ "aria-label": label }),
    EditorState.readOnly.of(true),
    EditorView.editable.of(false),
    // What cannot be edited can still be reached and scrolled with the keyboard.
    EditorView.contentAttributes.of({ tabindex: "0" }),
  ];
}

/**
 * Draw what differs into `parent`, in place of what is there.
 * @param {{before: Typed, after: Typed, names: [string, string], nonce: string}} versions
 * @returns {() => void} takes the editors down again
 */
export function showDifferences(parent, { before, after, names, nonce }) {
  const drawn = new Differences(names, nonce);
  drawn.messages(before.messages, after.messages);
  drawn.values(before, after);
  for (const [part, title] of Object.entries(TEXTS))
    drawn.text(title, languageOf(part), before[part], after[part]);
  parent.replaceChildren(el("p", { class: "wbd-summary", text: drawn.summary() }), ...drawn.elements);
  drawn.draw();
  return () => drawn.views.forEach((view) => view.destroy());
}

class Differences {
  constructor(names, nonce) {
    this.names = names;
    this.nonce = nonce;
    this.elements = [];
    this.waiting = [];
    this.views = [];
    this.counts = { changed: 0, added: 0, removed: 0, unchanged: 0 };
    this.others = [];
  }

  summary() {
    const { changed, added, removed } = this.counts;
    const said = [
      changed && `${plural(changed, "message")} changed`,
      added && `${plural(added, "message")} added`,
      removed && `${plural(removed, "message")} removed`,
      this.others.length && `${this.others.join(", ")} changed`,
    ].filter(Boolean);
    return said.length ? `${said.join("; ")}.` : "Nothing differs.";
  }

  messages(before, after) {
    for (const [i, j] of aligned(before, after)) {
      const [old, now] = [before[i], after[j]];
      if (!old) this.single("added", now, j);
      else if (!now) this.single("removed", old, i);
      else this.pair(old, now, j);
    }
  }

  section(kind, title) {
    const section = el(
      "section",
      { class: `wbd-part wbd-${kind}` },
      el("h3", { class: "wbd-title", text: title }),
    );
    this.elements.push(section);
    return section;
  }

  single(kind, message, place) {
    this.counts[kind] += 1;
    const section = this.section(kind, `Message ${place + 1} · ${message.role} · ${kind}`);
    const tag = kind === "added" ? "ins" : "del";
    const text = [message.content, message.name, message.tool_calls].filter(Boolean).join("\n");
    section.append(el("div", { class: "text-diff" }, el(tag, { text: text || "(empty)" })));
  }

  pair(old, now, place) {
    if (sameMessage(old, now)) {
      this.counts.unchanged += 1;
      this.section("unchanged", `Message ${place + 1} · ${now.role} · unchanged`);
      return;
    }
    this.counts.changed += 1;
    const section = this.section("changed", `Message ${place + 1} · ${now.role} · changed`);
    const rows = Object.entries(OF_MESSAGE).filter(([part]) => (old[part] ?? "") !== (now[part] ?? ""));
    if (rows.length) section.append(this.table(rows, old, now));
    if (old.content !== now.content) this.compare(section, "jinja", old.content, now.content);
  }

  values(before, after) {
    const rows = Object.entries(VALUES).filter(([part]) => (before[part] ?? "") !== (after[part] ?? ""));
    if (!rows.length) return;
    this.others.push(...rows.map(([, title]) => title.toLowerCase()));
    this.section("changed", "Parameters").append(this.table(rows, before, after));
  }

  text(title, language, before = "", after = "") {
    if (before === after) return;
    this.others.push(title.toLowerCase());
    this.compare(this.section("changed", title), language, before, after);
  }

  table(rows, before, after) {
    const cell = (text, tag) =>
      el(
        "td",
        { class: "text-diff" },
        text ? el(tag, { text }) : el("span", { class: "text-secondary", text: "not set" }),
      );
    const head = ["Part", ...this.names].map((text) => el("th", { scope: "col", text }));
    return el(
      "table",
      { class: "table table-sm wbd-table" },
      el("thead", {}, el("tr", {}, ...head)),
      el(
        "tbody",
        {},
        ...rows.map(([part, title]) =>
          el(
            "tr",
            {},
            el("th", { scope: "row", text: title }),
            cell(before[part], "del"),
            cell(after[part], "ins"),
          ),
        ),
      ),
    );
  }

  /** Editors measure themselves, so they are made once their places are on the page. */
  compare(section, language, before, after) {
    const place = el("div", { class: "wbd-texts" });
    section.append(place);
    this.waiting.push(() => {
      const side = (doc, name) => ({ doc, extensions: readingExtensions(language, this.nonce, name) });
      this.views.push(
        isNarrow()
          ? unified(place, after, before, readingExtensions(language, this.nonce, this.names.join(" → ")))
          : new MergeView({
              a: side(before, this.names[0]),
              b: side(after, this.names[1]),
              parent: place,
              gutter: true,
              highlightChanges: true,
              collapseUnchanged: COLLAPSE,
              diffConfig: DIFF_LIMIT,
            }),
      );
    });
  }

  draw() {
    this.waiting.forEach((make) => make());
  }
}

function unified(parent, doc, original, extensions) {
  const merge = unifiedMergeView({
    original,
    mergeControls: false,
    gutter: true,
    collapseUnchanged: COLLAPSE,
    diffConfig: DIFF_LIMIT,
  });
  return new EditorView({ doc, parent, extensions: [extensions, merge] });
}
