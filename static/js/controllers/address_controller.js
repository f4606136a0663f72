import { Controller } from "@hotwired/stimulus";

/** Places in a list of rows, which another state of the page does not have. */
const CURSORS = ["after", "before"];

/**
 * Links and forms that lead to another state of the page they stand in. They were drawn for the address of that time
 * (data-address-drawn-value, a query string); parts of the page may have moved the address since. When one of them
 * is followed, what it changes is changed in the address as it is now, so that nothing chosen meanwhile is lost.
 * A link with data-address-stays leaves the rows alone, and so their place in the list.
 */
export default class extends Controller {
  static values = { drawn: String };

  connect() {
    this.onClick = (event) => this.renewLink(event.target.closest?.("a[href], [data-clipboard-text-value]"));
    this.onForm = (event) => this.renewForm(event.target.closest?.("form[method=get]"));
    this.onSettled = () => this.renewLink(this.element);
    this.element.addEventListener("click", this.onClick, true);
    this.element.addEventListener("run-settled", this.onSettled, true);
    for (const kind of ["change", "submit"]) this.element.addEventListener(kind, this.onForm, true);
  }

  disconnect() {
    this.element.removeEventListener("click", this.onClick, true);
    this.element.removeEventListener("run-settled", this.onSettled, true);
    for (const kind of ["change", "submit"]) this.element.removeEventListener(kind, this.onForm, true);
  }

  renewLink(link) {
    if (!link || !this.element.contains(link)) return;
    for (const name of ["href", "hx-get", "hx-push-url", "data-clipboard-text-value"]) {
      const address = link.getAttribute(name);
      if (address === null || address === "true" || address.startsWith("#")) continue;
      const [path] = address.split("?", 1);
      link.dataset.drawn ??= address.slice(path.length + 1);
      const wanted = new URLSearchParams(link.dataset.drawn);
      link.setAttribute(name, `${path}?${this.now(wanted, { stays: "addressStays" in link.dataset })}`);
    }
  }

  /** The form's own fields say what changes; its hidden ones carry the rest, and are drawn from the address. */
  renewForm(form) {
    if (!form) return;
    const hidden = [...form.querySelectorAll("input[type=hidden]")];
    form.dataset.drawn ??= new URLSearchParams(hidden.map((one) => [one.name, one.value]));
    const own = new Set([...form.elements].filter((one) => one.type !== "hidden").map((one) => one.name));
    for (const one of hidden) one.remove();
    for (const [name, value] of this.now(new URLSearchParams(form.dataset.drawn), { own })) {
      if (own.has(name)) continue;
      const one = document.createElement("input");
      Object.assign(one, { type: "hidden", name, value });
      form.prepend(one);
    }
  }

  /** The address as it is now with what `wanted` changes of the drawn one. @param {URLSearchParams} wanted */
  now(wanted, { own = new Set(), stays = false } = {}) {
    const drawn = new URLSearchParams(this.drawnValue);
    const current = new URLSearchParams(window.location.search);
    if (!stays) for (const name of CURSORS) current.delete(name);
    for (const name of new Set([...drawn.keys(), ...wanted.keys()])) {
      if (own.has(name) || drawn.get(name) === wanted.get(name)) continue;
      if (wanted.has(name)) current.set(name, wanted.get(name));
      else current.delete(name);
    }
    return current;
  }
}
