// Acting for a button that is not on the page any more.

/** The element's ancestors, nearest first. */
function ancestors(element) {
  const found = [];
  for (let each = element.parentElement; each; each = each.parentElement) found.push(each);
  return found;
}

/**
 * Remember what a click on `element` would do now: which form it sends with which values, or which link it follows.
 * The function returned does it, for when a swap has taken the element off the page in the meantime.
 * @param {HTMLElement} element
 * @returns {() => void}
 */
export function standIn(element) {
  const places = ancestors(element);
  const form = element.form ?? null;
  const original = form ?? element;
  const copy = original.cloneNode(true);
  const entries = form ? [...new FormData(form, element.type === "submit" ? element : null)] : [];
  const place = form ? [...form.elements].indexOf(element) : -1;
  return () => {
    copy.hidden = true;
    // Next to where it was, so that it inherits the same htmx attributes.
    places.find((each) => each.isConnected && each !== form).append(copy);
    copy.addEventListener("formdata", ({ formData }) => {
      for (const name of [...formData.keys()]) formData.delete(name);
      for (const [name, value] of entries) formData.append(name, value);
    });
    copy.addEventListener("htmx:finally:request", () => copy.remove());
    window.htmx.process(copy);
    if (form) copy.requestSubmit(copy.elements[place] ?? null);
    else copy.click();
  };
}
