import { Controller } from "@hotwired/stimulus";

/** Switches between light and dark and remembers it. Figures and editors redraw on "theme:change". */
export default class extends Controller {
  toggle() {
    const root = document.documentElement;
    const theme = root.dataset.bsTheme === "dark" ? "light" : "dark";
    root.dataset.bsTheme = theme;
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // Storage is switched off: the choice holds for this page.
    }
    document.dispatchEvent(new CustomEvent("theme:change", { detail: { theme } }));
  }
}
