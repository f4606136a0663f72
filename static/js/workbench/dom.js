// Building elements without markup: text is always text.

/**
 * An element. `class`, `text` and `on` ({event: listener}) are special, everything else is an attribute: true
 * sets it empty, false and null leave it out.
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name === "on")
      for (const [event, heard] of Object.entries(value)) element.addEventListener(event, heard);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A drawing that the page has in its <template data-icon>, or nothing. */
export function icon(name) {
  const template = document.querySelector(`template[data-icon="${name}"]`);
  return template ? template.content.firstElementChild.cloneNode(true) : null;
}

/** A small button with a drawing; its label is read out and shown on hover. */
export function iconButton(name, label, click, attributes = {}) {
  const button = el("button", {
    type: "button",
    class: "wb-icon-button",
    "aria-label": label,
    title: label,
    on: { click },
    ...attributes,
  });
  button.append(icon(name) ?? label);
  return button;
}

/** A function that runs `act` once, `wait` ms after it was last called; `.flush()` runs it now if it waits. */
export function debounced(act, wait) {
  let timer;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(later.flush, wait);
  };
  later.flush = () => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    act();
  };
  later.cancel = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  return later;
}

const numbers = new Intl.NumberFormat("en");
export const count = (value) => numbers.format(value);
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

/** Tell screen readers, without moving anything: one sentence at a time. */
export function announce(context, sentence) {
  const place = context.root.querySelector("#wb-status");
  if (place) place.textContent = sentence;
}
