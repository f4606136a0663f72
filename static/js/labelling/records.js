// What this browser keeps of a person's labelling in one project: each record under a key of its own, so that two
// tabs never write over each other's. Where the browser keeps nothing, the page itself does.

/** Ids and random numbers also where the page has no secure address, and so no crypto.randomUUID. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export class Records {
  /** @param {string} owner whose records these are: somebody else in this browser sees none of them */
  constructor(owner) {
    this.prefix = `labelling ${owner} `;
    this.inPage = new Map();
    this.works = true;
  }

  read(id) {
    try {
      return JSON.parse(this.inPage.get(id) ?? localStorage.getItem(this.prefix + id));
    } catch {
      return null;
    }
  }

  write(id, record) {
    const text = JSON.stringify(record);
    try {
      localStorage.setItem(this.prefix + id, text);
      this.inPage.delete(id);
      this.works = true;
    } catch {
      // Full, or not allowed here: then it lives as long as the page.
      this.inPage.set(id, text);
      this.works = false;
    }
  }

  drop(id) {
    this.inPage.delete(id);
    try {
      localStorage.removeItem(this.prefix + id);
    } catch {
      this.works = false;
    }
  }

  /** All records whose id begins with `start`, as [id, record], in the order of their ids. */
  all(start) {
    const ids = new Set([...this.inPage.keys()].filter((id) => id.startsWith(start)));
    try {
      for (let place = 0; place < localStorage.length; place += 1) {
        const key = localStorage.key(place);
        if (key.startsWith(this.prefix + start)) ids.add(key.slice(this.prefix.length));
      }
    } catch {
      this.works = false;
    }
    return [...ids]
      .sort()
      .map((id) => [id, this.read(id)])
      .filter(([, record]) => record);
  }
}
