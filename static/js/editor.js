// CodeMirror, loaded only on pages that edit text.
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, indentOnInput } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightSpecialChars, keymap, placeholder } from "@codemirror/view";
import { base, typingOver } from "./editor_base.js";

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
