// Sets the theme before the first paint: the remembered one, else what the system prefers.
const KEY = "theme";
const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
let remembered = null;
try {
  remembered = localStorage.getItem(KEY);
} catch {
  // Storage is switched off: the system's preference holds.
}
document.documentElement.dataset.bsTheme = ["light", "dark"].includes(remembered) ? remembered : system;
