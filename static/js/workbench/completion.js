// What can be completed in a template: variables, filters, words of the language, and other prompts to include.

const BEFORE = 2000;
/** What the commoner words of a tag are for; the others speak for themselves. */
const MEANINGS = {
  if: "if a condition holds",
  elif: "otherwise, if",
  else: "otherwise",
  for: "for each item of a list",
  set: "give a name to a value",
  include: "another prompt, by name and label or version",
  macro: "a piece that is used again",
  filter: "filter a block",
  raw: "text that is no template",
};
const WORDS = ["in", "not", "and", "or", "is", "true", "false", "none", "loop.index", "loop.last"];

/** After these, something to complete comes next; elsewhere the first letter is waited for. */
const EXPECTS = /(^-?\s*|\|\s*|\b(if|elif|in|is|not|and|or)\s+|[(,=]\s*)$/;

/** Where the caret stands: the text of the open {{ or {% before it, and which of the two; null outside. */
export function openTag(text) {
  const braces = text.lastIndexOf("{{");
  const percent = text.lastIndexOf("{%");
  const start = Math.max(braces, percent);
  if (start < 0) return null;
  const inside = text.slice(start + 2);
  const kind = start === braces ? "{{" : "{%";
  return inside.includes(kind === "{{" ? "}}" : "%}") ? null : { kind, inside };
}

/** A source of completions for CodeMirror that knows the page's variables, filters and prompts. */
export function completeTemplate(context) {
  return async (state) => {
    const before = state.state.sliceDoc(Math.max(0, state.pos - BEFORE), state.pos);
    const open = openTag(before);
    if (!open) return null;
    const included = open.kind === "{%" && /^-?\s*include\s+["']([^"']*)$/.exec(open.inside);
    if (included) return completeInclude(context, state, included[1]);
    const word = /[\w.]*$/.exec(open.inside)[0];
    const head = open.inside.slice(0, open.inside.length - word.length);
    if (!word && !state.explicit && !EXPECTS.test(head)) return null;
    if (/["'][^"']*$/.test(head) && (head.match(/["']/g).length & 1) === 1) return null;
    return {
      from: state.pos - word.length,
      options: optionsFor(context, open.kind, head),
      validFor: /^[\w.]*$/,
    };
  };
}

function optionsFor(context, kind, head) {
  const { filters, tests, keywords } = context.boot.language;
  const plain = (labels, detail) => labels.map((label) => ({ label, type: "function", detail }));
  if (/\|\s*$/.test(head)) return plain(filters, "filter");
  if (/\bis\s+(not\s+)?$/.test(head)) return plain(tests, "test");
  if (kind === "{%" && /^-?\s*$/.test(head)) {
    return keywords.map((label) => ({
      label,
      detail: MEANINGS[label],
      type: "keyword",
      apply: tagText(label),
    }));
  }
  const words = WORDS.map((label) => ({ label, type: "keyword", boost: -1 }));
  return [...variables(context).map((name) => variableOption(name, kind)), ...words];
}

function variables(context) {
  const names = context.checks.variables().map((variable) => variable.name);
  return [...new Set([...names, ...Object.keys(context.store.document.values)])];
}

function variableOption(name, kind) {
  return {
    label: name,
    type: "variable",
    detail: "variable",
    apply: kind === "{{" ? closing(name, "}}") : name,
  };
}

function tagText(tag) {
  if (tag === "include") return closing('include "', "");
  return /^(else|end)/.test(tag) ? closing(tag, "%}") : `${tag} `;
}

/** Put `text` there and close the braces, unless they are closed already. */
function closing(text, end) {
  return (view, _completion, from, to) => {
    const after = view.state.sliceDoc(to, to + 40);
    const closed = !end || new RegExp(`^\\s*-?${end === "}}" ? "\\}\\}" : "%\\}"}`).test(after);
    const insert = closed ? text : `${text} ${end}`;
    view.dispatch({
      changes: { from, to, insert },
      selection: { anchor: from + insert.length },
      userEvent: "input.complete",
    });
  };
}

async function completeInclude(context, state, typed) {
  let answer;
  try {
    answer = await context.api.get("completions", { query: { q: typed } });
  } catch {
    return null;
  }
  if (state.aborted) return null;
  const options = answer.results.map((found) => ({
    label: found.insert,
    detail: found.detail,
    type: "text",
    apply: closing(`${found.insert}" `, "%}"),
  }));
  return { from: state.pos - typed.length, options, filter: false };
}
