// CodeMirror, loaded only on pages that edit or compare text.
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { jinja } from "@codemirror/lang-jinja";
import { json } from "@codemirror/lang-json";
import { markdown } from "@codemirror/lang-markdown";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { MergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  placeholder,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

const LANGUAGES = { jinja, json, markdown, text: () => [] };

// Colours are the stylesheet's, so that light and dark switch without touching the editor.
const highlighting = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword], color: "var(--code-keyword)" },
  { tag: [tags.brace, tags.processingInstruction, tags.special(tags.brace)], color: "var(--code-brace)" },
  { tag: [tags.variableName, tags.propertyName], color: "var(--code-variable)" },
  { tag: [tags.string], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: [tags.comment, tags.blockComment], color: "var(--code-comment)", fontStyle: "italic" },
  { tag: [tags.heading, tags.strong], fontWeight: "600" },
  { tag: tags.emphasis, fontStyle: "italic" },
]);

const look = EditorView.theme({
  "&": { color: "var(--tblr-body-color)", backgroundColor: "transparent", fontSize: "0.8125rem" },
  "&.cm-focused": { outline: "none" },
  ".cm-content": {
    fontFamily: "var(--tblr-font-monospace)",
    caretColor: "var(--tblr-body-color)",
    padding: "0.5rem 0",
  },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--quiet)", border: "none" },
  ".cm-cursor": { borderLeftColor: "var(--tblr-body-color)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--selection)",
  },
});

/**
 * Text typed over a selection replaces it here, in the document. Left to itself, Chromium would first carry the
 * look of the replaced text over into a style attribute, which the page's content security policy refuses.
 * What an input method composes cannot be taken over, and stays with the browser.
 */
const typingOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const typed = event.inputType === "insertText" && event.data && !event.isComposing && !view.composing;
    if (!typed || view.state.readOnly || view.state.selection.main.empty) return false;
    event.preventDefault();
    view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
    return true;
  },
});

/** What every editor has; `nonce` lets the page's content security policy pass CodeMirror's styles. */
function base(language, nonce) {
  return [
    nonce ? EditorView.cspNonce.of(nonce) : [],
    (LANGUAGES[language] ?? LANGUAGES.text)(),
    syntaxHighlighting(highlighting),
    EditorView.lineWrapping,
    look,
  ];
}

function labelOf(textarea) {
  return textarea.getAttribute("aria-label") ?? textarea.labels?.[0]?.textContent?.trim() ?? "Text";
}

/** ARIA of the textarea, carried over to the editor. */
function accessible(textarea) {
  const attributes = { "aria-label": labelOf(textarea) };
  for (const name of ["aria-describedby", "aria-invalid"]) {
    const value = textarea.getAttribute(name);
    if (value) attributes[name] = value;
  }
  return EditorView.contentAttributes.of(attributes);
}

/**
 * Put an editor before a textarea and keep their texts the same.
 * @param {HTMLTextAreaElement} textarea
 */
export function editTextarea(textarea, { language, readonly, nonce }) {
  const write = EditorView.updateListener.of((update) => {
    if (!update.docChanged) return;
    textarea.value = update.state.doc.toString();
    textarea.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const view = new EditorView({
    doc: textarea.value,
    extensions: [
      base(language, nonce),
      history(),
      drawSelection(),
      highlightSpecialChars(),
      bracketMatching(),
      indentOnInput(),
      typingOver,
      textarea.placeholder ? placeholder(textarea.placeholder) : [],
      // Tab leaves the editor, as in any field; Ctrl+Enter is left to the page's keys.
      keymap.of([...defaultKeymap.filter((binding) => binding.key !== "Mod-Enter"), ...historyKeymap]),
      EditorState.readOnly.of(readonly),
      EditorView.editorAttributes.of({ class: "editor-box" }),
      accessible(textarea),
      write,
    ],
  });
  const typingHere = document.activeElement === textarea;
  textarea.before(view.dom);
  if (typingHere) takeOverCaret(view, textarea);
  textarea.classList.add("editor-source");
  for (const label of textarea.labels ?? []) label.addEventListener("click", () => view.focus());
  return withTwoWayBinding(view, textarea);
}

/** Who began to type before the editor was there types on in it, at the same place. */
function takeOverCaret(view, textarea) {
  const { selectionStart, selectionEnd, selectionDirection } = textarea;
  const backward = selectionDirection === "backward";
  view.dispatch({
    selection: {
      anchor: backward ? selectionEnd : selectionStart,
      head: backward ? selectionStart : selectionEnd,
    },
  });
  view.focus();
}

/** The page may set the textarea's value (a form reset, a restored draft): the editor follows. */
function withTwoWayBinding(view, textarea) {
  const follow = () => {
    const text = view.state.doc.toString();
    if (textarea.value !== text) {
      view.dispatch({ changes: { from: 0, to: text.length, insert: textarea.value } });
    }
  };
  const later = () => setTimeout(follow);
  textarea.addEventListener("change", follow);
  textarea.form?.addEventListener("reset", later);
  const focus = textarea.focus.bind(textarea);
  textarea.focus = () => view.focus();
  return {
    focus: () => view.focus(),
    destroy: () => {
      textarea.removeEventListener("change", follow);
      textarea.form?.removeEventListener("reset", later);
      textarea.focus = focus;
      view.destroy();
    },
  };
}

/**
 * Show two texts side by side in place of the parent's content.
 * @param {HTMLElement} parent
 */
export function showDiff(parent, { left, right, language, nonce }) {
  const side = (doc, label) => ({
    doc,
    extensions: [
      base(language, nonce),
      lineNumbers(),
      EditorState.readOnly.of(true),
      EditorView.contentAttributes.of({ "aria-label": label }),
    ],
  });
  parent.replaceChildren();
  return new MergeView({
    a: side(left, "Before"),
    b: side(right, "After"),
    parent,
    gutter: true,
    highlightChanges: true,
    collapseUnchanged: { margin: 3, minSize: 6 },
  });
}
