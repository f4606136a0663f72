import { Controller } from "@hotwired/stimulus";

/** A file input one can drop a file on; says what was picked and how large it is. */
export default class extends Controller {
  static targets = ["input", "name"];

  connect() {
    this.show();
  }

  over(event) {
    event.preventDefault();
    this.element.classList.add("filepick-over");
  }

  leave() {
    this.element.classList.remove("filepick-over");
  }

  drop(event) {
    event.preventDefault();
    this.leave();
    if (!event.dataTransfer?.files.length) return;
    this.inputTarget.files = event.dataTransfer.files;
    this.inputTarget.dispatchEvent(new Event("change", { bubbles: true }));
  }

  show() {
    if (!this.hasNameTarget) return;
    const [file] = this.inputTarget.files;
    this.nameTarget.textContent = file ? `${file.name}, ${size(file.size)}` : "No file picked yet.";
  }
}

function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
