// One CodeMirror editor of the workbench: a message, a tool list, a schema.
import { autocompletion, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, indentOnInput } from "@codemirror/language";
import { linter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightSpecialChars, keymap, placeholder } from "@codemirror/view";
import { base, typingOver } from "../editor_base.js";

/** Left to the page: Ctrl+Enter runs, whatever has the focus. */
const PAGE_KEYS = new Set(["Mod-Enter", "Mod-s"]);
const keys = [...completionKeymap, ...searchKeymap, ...lintKeymap, ...defaultKeymap, ...historyKeymap].filter(
  (binding) => !PAGE_KEYS.has(binding.key),
);

/** The look of what lint and completion add, in the colours of the page. */
const look = EditorView.theme({
  ".cm-lintRange": { backgroundImage: "none !important", textDecoration: "underline wavy var(--bad) 1px" },
  ".cm-lintRange-warning": { textDecorationColor: "var(--warn)" },
  ".cm-lintPoint:after": { borderBottomColor: "var(--bad) !important" },
  ".cm-tooltip": {
    color: "var(--tblr-body-color)",
    backgroundColor: "var(--surface)",
    border: "1px solid var(--line)",
    borderRadius: "6px",
  },
  ".cm-tooltip-autocomplete ul li[aria-selected]": {
    color: "var(--tblr-body-color) !important",
    background: "var(--selection) !important",
  },
  ".cm-placeholder": { color: "var(--quiet)" },
  ".cm-completionDetail": { color: "var(--quiet)", fontStyle: "normal" },
  ".cm-diagnostic": { padding: "0.25rem 0.5rem", borderLeft: "3px solid var(--bad)" },
  ".cm-panels": { color: "inherit", backgroundColor: "var(--raised)" },
  ".cm-selectionMatch": { backgroundColor: "var(--warn-bg)" },
});

/**
 * @param {{doc: string, language: "jinja"|"json"|"text", label: string, nonce: string, hint?: string,
 *   onChange?: () => void, complete?: Function[]}} options `onChange` is called at every keystroke and must be
 *   cheap: the text is read from the view later, once typing pauses
 * @returns {EditorView}
 */
export function codeEditor({ doc, language, label, nonce, hint, onChange, complete }) {
  return new EditorView({
    doc,
    extensions: [
      look,
      base(language, nonce),
      history(),
      drawSelection(),
      highlightSpecialChars(),
      bracketMatching(),
      indentOnInput(),
      highlightSelectionMatches({ maxMatches: 100 }),
      typingOver,
      linter(null),
      complete ? autocompletion({ override: complete, icons: false, maxRenderedOptions: 50 }) : [],
      hint ? placeholder(hint) : [],
      keymap.of(keys),
      EditorState.readOnly.of(false),
      EditorView.editorAttributes.of({ class: "editor-box" }),
      EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) onChange?.();
      }),
    ],
  });
}

export function setText(view, text) {
  if (view.state.doc.toString() === text) return;
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}

/**
 * Underline what is wrong.
 * @param {{message: string, line?: number, column?: number, end_line?: number, end_column?: number}[]} errors
 *   lines and columns count from 1
 */
export function showErrors(view, errors) {
  const { doc } = view.state;
  const at = (line, column) => {
    const found = doc.line(Math.min(Math.max(line ?? 1, 1), doc.lines));
    return Math.min(found.from + Math.max((column ?? 1) - 1, 0), found.to);
  };
  const diagnostics = errors.map((error) => {
    const line = doc.line(Math.min(Math.max(error.line ?? 1, 1), doc.lines));
    const from = error.column ? at(error.line, error.column) : line.from;
    const to =
      error.end_line || error.end_column ? at(error.end_line ?? error.line, error.end_column) : line.to;
    return { from: Math.min(from, to), to: Math.max(from, to), severity: "error", message: error.message };
  });
  view.dispatch(
    setDiagnostics(
      view.state,
      diagnostics.sort((a, b) => a.from - b.from),
    ),
  );
}
