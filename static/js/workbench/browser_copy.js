// What the server has not yet: kept in this browser, so that a crash or a network that is gone loses nothing.

export class BrowserCopy {
  /** @param {string} key of this person and this prompt */
  constructor(key) {
    this.key = key;
    this.works = true;
  }

  /** @returns {{document: object, revision: number, page: string, changed_at: string} | null} */
  read() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key));
      return Array.isArray(kept?.document?.columns) ? kept : null;
    } catch {
      return null;
    }
  }

  /** @param {string} page the loaded page that wrote it */
  write(document, revision, page) {
    try {
      const kept = { document, revision, page, changed_at: new Date().toISOString() };
      localStorage.setItem(this.key, JSON.stringify(kept));
      this.works = true;
    } catch {
      // Full, or not allowed here: then only the server keeps it.
      this.works = false;
    }
  }

  clear() {
    try {
      localStorage.removeItem(this.key);
    } catch {
      this.works = false;
    }
  }
}

/** Whether two JSON values are equal; the order of keys does not count, as the database does not keep it. */
export function same(one, other) {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => key in other && same(one[key], other[key]))
  );
}
