// The question why an item is left out. One key and Enter are enough; words of one's own may be added.

const WORDS = {
  later: {
    title: "Skip this item",
    text: "It comes back to you later, and may go to others meanwhile.",
    send: "Skip it",
    reasons: [
      "I am not sure",
      "Something is missing to judge it",
      "It is not for this queue",
      "Another reason",
    ],
  },
  conflict: {
    title: "I know this one",
    text: "Somebody else judges it; you do not get it again.",
    send: "Give it to somebody else",
    reasons: ["I wrote or ran it myself", "I know where it comes from", "It concerns me", "Another reason"],
  },
};

export function mountSkip(context) {
  context.skip = new Skip(context);
  return undefined;
}

class Skip {
  constructor({ root, session }) {
    this.root = root;
    this.session = session;
    this.dialog = root.querySelector("#lb-skip");
    this.words = this.dialog.querySelector("#lb-skip-words");
    this.dialog.addEventListener("keydown", (event) => this.press(event));
    this.dialog.addEventListener("close", () => this.closed());
    for (const button of root.querySelectorAll("[data-skip]"))
      button.addEventListener("click", () => this.open(button.dataset.skip));
  }

  get radios() {
    return [...this.dialog.querySelectorAll("input[type=radio]")];
  }

  open(kind) {
    if (!this.session.current) return;
    this.kind = kind;
    const { title, text, send, reasons } = WORDS[kind];
    this.dialog.querySelector("#lb-skip-title").textContent = title;
    this.dialog.querySelector("#lb-skip-text").textContent = text;
    this.dialog.querySelector("#lb-skip-send").textContent = send;
    this.radios.forEach((radio, place) => {
      radio.checked = place === 0;
      radio.nextElementSibling.querySelector("span").textContent = reasons[place];
    });
    this.words.value = "";
    this.dialog.returnValue = "";
    this.dialog.showModal();
    this.radios[0].focus();
  }

  press(event) {
    const enters = event.target === this.words || event.target.matches("input[type=radio]");
    if (event.key === "Enter" && enters) {
      event.preventDefault();
      this.dialog.close("skip");
    }
    if (event.target === this.words || event.ctrlKey || event.metaKey || event.altKey) return;
    const radio = this.radios[Number(event.key) - 1];
    if (!radio) return;
    event.preventDefault();
    radio.checked = true;
    radio.focus();
  }

  closed() {
    if (this.dialog.returnValue !== "skip") return;
    const place = this.radios.findIndex((radio) => radio.checked);
    const reason = WORDS[this.kind].reasons[place];
    const added = this.words.value.trim();
    this.session.skip(
      this.kind,
      [place < 3 || !added ? reason : "", added].filter(Boolean).join(": ").slice(0, 400),
    );
  }
}
