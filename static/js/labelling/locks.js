// Which items the tabs of this browser hold: a lock for each, which goes with its tab, however that ends.

const name = (annotation) => `labelling item ${annotation}`;

export class ItemLocks {
  constructor() {
    this.mine = new Map();
  }

  /** @returns {Promise<boolean>} false when another tab has it */
  take(annotation) {
    if (!navigator.locks || this.mine.has(annotation)) return Promise.resolve(true);
    return new Promise((taken) => {
      navigator.locks.request(name(annotation), { ifAvailable: true }, (lock) => {
        taken(Boolean(lock));
        if (!lock) return undefined;
        return new Promise((release) => this.mine.set(annotation, release));
      });
    });
  }

  leave(annotation) {
    this.mine.get(annotation)?.();
    this.mine.delete(annotation);
  }

  leaveAll() {
    for (const annotation of [...this.mine.keys()]) this.leave(annotation);
  }

  /** The annotations that any tab holds, this one too. */
  async held() {
    if (!navigator.locks) return [...this.mine.keys()];
    const { held } = await navigator.locks.query();
    const start = name("");
    return held.filter((lock) => lock.name.startsWith(start)).map((lock) => lock.name.slice(start.length));
  }
}
