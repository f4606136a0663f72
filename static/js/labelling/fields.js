// The form's fields as native controls: a group of radio buttons or boxes, or a text.
import { el, icon } from "../workbench/dom.js";
import { differenceBox } from "./correction.js";
import { isText, keyOf, optionsOf } from "./form_values.js";

const ICONS = { up: "thumb-up", down: "thumb-down" };
const VOTE_KEYS = { A: "A", B: "B", tie: "T", bad: "X" };

/**
 * @param {object} field of the form
 * @param {{work: object, answer: (value: *) => void}} at the item it is about, and what hears its answer
 * @returns {HTMLElement} with `show(value)`, which draws an answer, and `choose(place)` where keys choose
 */
export function fieldElement(field, at) {
  const made = isText(field) ? written(field, at) : chosen(field, at);
  made.dataset.field = field.key;
  made.dataset.kind = field.kind;
  return made;
}

function label(field) {
  return [field.label, field.required ? null : el("span", { class: "lb-optional", text: " optional" })];
}

function hints(field) {
  const id = `lb-hint-${field.key}`;
  return {
    hint: field.help ? el("p", { class: "lb-hint", id, text: field.help }) : null,
    error: el("p", { class: "lb-error", id: `lb-error-${field.key}`, hidden: true }),
    describedBy: [field.help ? id : "", `lb-error-${field.key}`].filter(Boolean).join(" "),
  };
}

// --- chosen by a key --------------------------------------------------------------------------

function chosen(field, { answer }) {
  const { hint, error, describedBy } = hints(field);
  const options = optionsOf(field);
  const inputs = options.map(([value], place) =>
    el("input", {
      type: field.multiple ? "checkbox" : "radio",
      class: "lb-option-input",
      name: `lb-${field.key}`,
      id: `lb-${field.key}-${place}`,
      value: String(value),
    }),
  );
  const heard = () => {
    const on = options.filter((_, place) => inputs[place].checked).map(([value]) => value);
    answer(field.multiple ? on : on[0]);
  };
  const list = el("div", { class: "lb-options", on: { change: heard } });
  options.forEach(([value, words], place) =>
    list.append(option(field, inputs[place], { value, words, place })),
  );
  const legend = el("legend", { class: "lb-label" }, ...label(field).filter(Boolean));
  const group = el(
    "fieldset",
    { class: "lb-field", "aria-describedby": describedBy },
    legend,
    hint,
    list,
    error,
  );
  group.show = (value) => {
    const on = Array.isArray(value) ? value : [value];
    inputs.forEach((input, place) => (input.checked = on.includes(options[place][0])));
  };
  group.choose = (place) => {
    inputs[place].checked = field.multiple ? !inputs[place].checked : true;
    heard();
  };
  group.enter = () => (inputs.find((input) => input.checked) ?? inputs[0]).focus();
  return group;
}

function option(field, input, { value, words, place }) {
  const key = VOTE_KEYS[field.kind === "vote" ? value : ""] ?? keyOf(field, value, place);
  return el(
    "div",
    { class: "lb-option", "data-value": String(value) },
    input,
    el(
      "label",
      { class: "lb-option-label", for: input.id },
      ICONS[value] && field.kind === "thumb" ? icon(ICONS[value]) : null,
      el("span", { text: words }),
      key && key !== words ? el("kbd", { class: "lb-key", "aria-hidden": "true", text: key }) : null,
    ),
  );
}

// --- written ----------------------------------------------------------------------------------

function written(field, at) {
  const { hint, error, describedBy } = hints(field);
  const id = `lb-${field.key}`;
  const shared = {
    id,
    class: "form-control lb-input",
    "aria-describedby": describedBy,
    "aria-required": field.required,
  };
  const input =
    field.kind === "number"
      ? el("input", { ...shared, type: "text", inputmode: "decimal", autocomplete: "off" })
      : el("textarea", { ...shared, rows: field.kind === "correction" ? "6" : "2" });
  const name = el("label", { class: "lb-label", for: id }, ...label(field).filter(Boolean));
  const place = el("div", { class: "lb-field" }, name, hint, input, error);
  if (field.kind === "number") number(place, input, error, field, at);
  else if (field.kind === "correction") correction(place, input, at);
  else text(place, input, at);
  place.enter = () => input.focus();
  return place;
}

function text(place, input, { answer }) {
  input.addEventListener("input", () => answer(input.value.trim() ? input.value : null));
  place.show = (value) => {
    if (input.value.trim() !== String(value ?? "").trim()) input.value = value ?? "";
  };
}

function number(place, input, error, field, { answer }) {
  const bounds = [
    field.min === undefined ? "" : `at least ${field.min}`,
    field.max === undefined ? "" : `at most ${field.max}`,
  ];
  const range = bounds.filter(Boolean).join(", ");
  if (range && !field.help)
    input.before(el("p", { class: "lb-hint", text: range[0].toUpperCase() + range.slice(1) }));
  input.addEventListener("input", () => {
    const typed = input.value.trim().replace(",", ".");
    const value = typed === "" ? null : Number(typed);
    const wrong = value !== null && (!Number.isFinite(value) || value < field.min || value > field.max);
    place.wrong = wrong ? `A number${range ? `, ${range}` : ""}.` : "";
    error.textContent = place.wrong;
    error.hidden = !wrong;
    answer(wrong ? null : value);
  });
  place.show = (value) => {
    if (value !== undefined && Number(input.value.replace(",", ".")) !== value) input.value = String(value);
  };
}

/** Starts from the answer's text; of a pair from the one that was chosen. As long as nothing differs it is no answer. */
function correction(place, input, { work, answer }) {
  const { answers } = work.given.item.content;
  const originalNow = () => {
    const side = work.values.vote;
    return (answers.find((one) => one.side === side) ?? answers[0])?.text ?? "";
  };
  let original = null;
  let difference = null;
  input.addEventListener("input", () => {
    difference.show(input.value);
    answer(input.value === original ? null : input.value);
  });
  place.show = (value) => {
    const now = originalNow();
    if (now !== original) {
      original = now;
      difference?.remove();
      difference = differenceBox(original);
      place.append(difference);
      input.value = value ?? original;
      difference.draw(input.value);
    } else if (value !== undefined && input.value !== value) {
      input.value = value;
      difference.draw(value);
    }
  };
}
