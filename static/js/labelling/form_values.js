// A form's answers in words, and what is still lacking. A form is a list of fields as apps/feedback/queues/form.py
// has them.

const WORDS = {
  thumb: { up: "Good", down: "Bad" },
  vote: { A: "A is better", B: "B is better", tie: "A tie", bad: "Both are bad" },
};
const TEXTS = new Set(["text", "comment", "correction", "number"]);

/** Answered by typing; the others by one key. */
export const isText = (field) => TEXTS.has(field.kind);

/** What a field's keys choose from, as [value, words]; empty for what is typed. */
export function optionsOf(field) {
  if (WORDS[field.kind]) return Object.entries(WORDS[field.kind]);
  if (field.kind === "categories") return field.options.map((option) => [option, option]);
  if (field.kind === "scale") return field.steps.map((step) => [step, String(step)]);
  return [];
}

/** The digit that chooses an option: a step of a scale is its own, others are counted from 1; "" for the eleventh. */
export function keyOf(field, value, place) {
  if (field.kind === "scale") return value >= 0 && value <= 9 ? String(value) : value === 10 ? "0" : "";
  return place < 9 ? String(place + 1) : place === 9 ? "0" : "";
}

export function valueWords(field, value) {
  if (Array.isArray(value)) return value.join(", ");
  return WORDS[field.kind]?.[value] ?? String(value);
}

/** The answers as [[label, words]], in the form's order. */
export function said(form, values) {
  return form
    .filter((field) => values[field.key] !== undefined)
    .map((field) => [field.label, valueWords(field, values[field.key])]);
}

/** The first field that must be answered and is not. */
export function missing(form, values) {
  return form.find((field) => field.required && values[field.key] === undefined) ?? null;
}

/** Answered by one key and by nothing else: then answering may be submitting. */
export function isOneKey(form) {
  return form.length === 1 && !isText(form[0]) && !form[0].multiple;
}
