// What all CodeMirror editors of the product have in common: languages, colours, and typing under our CSP.
import { closePercentBrace, jinjaLanguage } from "@codemirror/lang-jinja";
import { json } from "@codemirror/lang-json";
import { markdown } from "@codemirror/lang-markdown";
import { HighlightStyle, LanguageSupport, LRLanguage, syntaxHighlighting } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

/**
 * Jinja alone. As it comes, lang-jinja reads all that stands between the tags as HTML, anew at each keystroke: 70 ms
 * in a prompt of 20,000 words. Without that wrapper only what changed is read, which takes less than one.
 */
function jinja() {
  const parser = jinjaLanguage.parser.configure({});
  parser.wrappers = [];
  const language = LRLanguage.define({ name: "jinja", parser });
  return new LanguageSupport(language, [
    language.data.of({ closeBrackets: { brackets: ["{"] } }),
    closePercentBrace,
  ]);
}

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
export const typingOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const typed = event.inputType === "insertText" && event.data && !event.isComposing && !view.composing;
    if (!typed || view.state.readOnly || view.state.selection.main.empty) return false;
    event.preventDefault();
    view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
    return true;
  },
});

/** What every editor has; `nonce` lets the page's content security policy pass CodeMirror's styles. */
export function base(language, nonce) {
  return [
    nonce ? EditorView.cspNonce.of(nonce) : [],
    (LANGUAGES[language] ?? LANGUAGES.text)(),
    syntaxHighlighting(highlighting),
    EditorView.lineWrapping,
    look,
  ];
}
