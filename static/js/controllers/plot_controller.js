import { Controller } from "@hotwired/stimulus";
import { meta } from "../requests.js";

/** A plotly figure; plotly is loaded only where there is one. Redrawn when the theme or the width changes. */
export default class extends Controller {
  static values = { figure: Object };

  async connect() {
    this.connected = true;
    this.onTheme = () => this.draw();
    document.addEventListener("theme:change", this.onTheme);
    try {
      addStylesheet(meta("asset-plot-css"));
      this.plots = await import(meta("asset-plot"));
      await this.draw();
    } catch (error) {
      console.error(error);
      this.element.textContent = "The figure cannot be drawn. Reload the page to try again.";
    }
    this.observer = new ResizeObserver(() => this.plots?.resize(this.element));
    if (this.connected) this.observer.observe(this.element);
  }

  disconnect() {
    this.connected = false;
    document.removeEventListener("theme:change", this.onTheme);
    this.observer?.disconnect();
    this.plots?.clear(this.element);
  }

  figureValueChanged() {
    if (this.plots) this.draw();
  }

  async draw() {
    if (!this.connected || !this.plots) return;
    this.element.querySelector(".plot-waiting")?.remove();
    await this.plots.draw(this.element, this.figureValue);
  }
}

function addStylesheet(href) {
  if (!href || document.querySelector(`link[href="${CSS.escape(href)}"]`)) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  document.head.append(link);
}
