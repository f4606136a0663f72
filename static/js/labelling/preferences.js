// How a person likes the page: remembered in this browser, for all queues of the project.

const USUAL = { size: 1, side: true, atOnce: false, view: "plain" };
export const SIZES = ["Small", "Medium", "Large", "Very large"];

/** Event: "change". */
export class Preferences extends EventTarget {
  /** @param {import("./records.js").Records} records */
  constructor(records) {
    super();
    this.records = records;
    this.chosen = { ...USUAL, ...records.read("preferences") };
  }

  get(name) {
    return this.chosen[name];
  }

  set(name, value) {
    this.chosen = { ...this.chosen, [name]: value };
    this.records.write("preferences", this.chosen);
    this.dispatchEvent(new Event("change"));
  }

  toggle(name) {
    this.set(name, !this.chosen[name]);
  }
}
