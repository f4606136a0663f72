import { Controller } from "@hotwired/stimulus";

/**
 * Rows that are ticked to do something with them: counts them, ticks all of a page, and holds the buttons until
 * something is ticked. `whole` is the box that means every row of the filter, on other pages too.
 */
export default class extends Controller {
  static targets = ["one", "every", "whole", "count", "act"];

  connect() {
    this.count();
  }

  every() {
    for (const box of this.oneTargets) box.checked = this.everyTarget.checked;
    this.count();
  }

  count() {
    const ticked = this.oneTargets.filter((box) => box.checked).length;
    const whole = this.hasWholeTarget && this.wholeTarget.checked;
    for (const box of this.oneTargets) box.disabled = whole;
    if (this.hasEveryTarget) {
      this.everyTarget.disabled = whole;
      this.everyTarget.checked = ticked > 0 && ticked === this.oneTargets.length;
      this.everyTarget.indeterminate = ticked > 0 && ticked < this.oneTargets.length;
    }
    for (const button of this.actTargets) button.disabled = !ticked && !whole;
    if (this.hasCountTarget) {
      this.countTarget.textContent = whole ? "All that match" : ticked ? `${ticked} ticked` : "None ticked";
    }
  }
}
