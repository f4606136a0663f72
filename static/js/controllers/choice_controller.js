import { Controller } from "@hotwired/stimulus";

/**
 * Parts of a form that belong to some choices only. The others are hidden, and their fields not sent.
 *
 * <div data-controller="choice"> around radio buttons with data-action="choice#show", and
 * <fieldset data-choice-target="part" data-choice-for="one two">. The server draws the first state by itself.
 */
export default class extends Controller {
  static targets = ["part"];

  connect() {
    this.show();
  }

  show() {
    const chosen = this.element.querySelector("input[type=radio]:checked")?.value ?? "";
    for (const part of this.partTargets) {
      const belongs = part.dataset.choiceFor.split(" ").includes(chosen);
      part.hidden = !belongs;
      part.disabled = !belongs;
    }
  }
}
