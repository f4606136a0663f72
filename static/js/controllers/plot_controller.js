import { Controller } from "@hotwired/stimulus";
import { meta } from "../requests.js";

/**
 * A plotly figure; plotly is loaded only where there is one. Redrawn when the theme or the width changes.
 * It is drawn into an element of its own, so that a morph of the page around it leaves it alone.
 *
 * Where the figure's layout says `meta: {follow: true}`, a click on a point or a bar follows the query string
 * that its customdata ends with: it clicks the page's link to there, so that htmx and the keyboard's way (a
 * list or a table of the same links) do the same; without such a link the page goes there.
 */
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
    this.observer = new ResizeObserver(() => this.stage && this.plots?.resize(this.stage));
    if (this.connected) this.observer.observe(this.element);
  }

  disconnect() {
    this.connected = false;
    document.removeEventListener("theme:change", this.onTheme);
    this.observer?.disconnect();
    if (this.stage) this.plots?.clear(this.stage);
  }

  figureValueChanged() {
    if (this.plots) this.draw();
  }

  /** @param {string} query */
  follow(query) {
    const links = [...document.querySelectorAll("a[data-follow]")];
    const link = links.find((each) => each.dataset.follow === query);
    if (link) link.click();
    else window.location.search = query;
  }

  async draw() {
    if (!this.connected || !this.plots) return;
    if (!this.stage?.isConnected) {
      this.stage = document.createElement("div");
      this.stage.className = "plot-stage";
      this.element.replaceChildren(this.stage);
    }
    await this.plots.draw(this.stage, this.figureValue, (query) => this.follow(query));
  }
}

function addStylesheet(href) {
  if (!href || document.querySelector(`link[href="${CSS.escape(href)}"]`)) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  document.head.append(link);
}
