// The form of the item at hand: which field the keys answer, what is lacking, and the buttons below it.
import { fieldElement } from "./fields.js";
import { isOneKey, isText, valueWords } from "./form_values.js";

export function mountForm(context) {
  context.form = new Form(context);
  return undefined;
}

class Form {
  constructor({ root, boot, session, preferences, announce }) {
    Object.assign(this, { root, boot, session, preferences, announce });
    this.place = root.querySelector("#lb-form");
    this.list = this.place.querySelector("#lb-fields");
    this.elements = [];
    this.place.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    root.querySelector("#lb-back").addEventListener("click", () => session.back());
    this.list.addEventListener("focusin", ({ target }) => this.activate(target.closest(".lb-field")));
    session.addEventListener("show", () => this.draw());
    session.addEventListener("changed", () => this.refresh());
    session.addEventListener("missing", ({ detail }) => this.lacks(detail));
  }

  draw() {
    const work = this.session.current;
    this.place.hidden = !work;
    this.elements = [];
    this.list.replaceChildren();
    if (!work) return;
    this.elements = this.boot.form.map((field) =>
      fieldElement(field, { work, answer: (value) => this.answer(field, value) }),
    );
    this.list.append(...this.elements);
    this.list.scrollTop = 0;
    this.refresh();
    // One that was answered already is opened to be changed, most likely from the first question on.
    const first = this.elements.find((element) => element.choose);
    this.activate(this.session.isOpenAgain && first ? first : this.firstOpen());
    const again = this.session.isOpenAgain ? "Submit the change" : "Submit";
    this.place.querySelector("#lb-submit-words").textContent = again;
  }

  field(element) {
    return this.boot.form.find((field) => field.key === element?.dataset.field);
  }

  element(key) {
    return this.elements.find((element) => element.dataset.field === key);
  }

  refresh() {
    const work = this.session.current;
    this.root.dataset.vote = work?.values.vote ?? "";
    if (!work) return;
    for (const element of this.elements) {
      const value = work.values[element.dataset.field];
      element.show(value);
      element.toggleAttribute("data-answered", value !== undefined);
      if (value !== undefined && !element.wrong) this.wrong(element, "");
    }
  }

  answer(field, value) {
    this.session.answer(field.key, value);
    if (isText(field)) return;
    const none = value === undefined || (Array.isArray(value) && !value.length);
    this.announce(`${field.label}: ${none ? "nothing" : valueWords(field, value)}`);
    if (field.multiple || none) return;
    if (this.preferences.get("atOnce") && isOneKey(this.boot.form)) this.submit();
    else if (this.active === this.element(field.key)) this.goOn();
  }

  /** To the next that is open; into a text, if it is one that must be written. */
  goOn() {
    const next = this.firstOpen();
    if (!next || this.session.current.values[next.dataset.field] !== undefined) return;
    const field = this.field(next);
    if (isText(field) && field.required) next.enter();
    else if (!isText(field) && this.list.contains(document.activeElement)) next.enter();
    else this.activate(next);
  }

  /** The first field without an answer that a key can answer or that must be written; else the first. */
  firstOpen() {
    const { values } = this.session.current;
    const open = this.elements.filter((element) => values[element.dataset.field] === undefined);
    const wanted = open.find((element) => !isText(this.field(element)) || this.field(element).required);
    return wanted ?? this.elements.find((element) => element.choose) ?? this.elements[0];
  }

  activate(element) {
    if (!element) return;
    this.active = element;
    for (const one of this.elements) one.toggleAttribute("data-active", one === element);
    if (this.list.scrollHeight > this.list.clientHeight) element.scrollIntoView({ block: "nearest" });
  }

  submit() {
    const wrong = this.elements.find((element) => element.wrong);
    if (wrong) {
      wrong.enter();
      this.announce(`${this.field(wrong).label}: ${wrong.wrong}`);
      return;
    }
    this.session.submit();
  }

  lacks(field) {
    const element = this.element(field.key);
    this.wrong(element, isText(field) ? "Write this first." : "Answer this first.");
    this.activate(element);
    if (isText(field)) element.enter();
    element.scrollIntoView({ block: "nearest" });
    this.announce(`${field.label}: answer this first.`);
  }

  wrong(element, words) {
    const error = element.querySelector(".lb-error");
    error.textContent = words;
    error.hidden = !words;
  }

  /** Tab from the text goes to the field that the keys answer; once it is answered, to the one after it. */
  enter() {
    const after = this.elements[this.elements.indexOf(this.active) + 1];
    const answered = this.session.current.values[this.active?.dataset.field] !== undefined;
    ((answered && after) || this.active)?.enter();
  }

  /** Tab within the form goes from field to field, not from option to option. @returns whether there was one */
  step(direction) {
    const here = this.elements.findIndex((element) => element.contains(document.activeElement));
    const next = here < 0 ? undefined : this.elements[here + direction];
    next?.enter();
    return Boolean(next);
  }
}
