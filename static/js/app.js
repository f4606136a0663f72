// What every page runs: htmx, Bootstrap's dropdown and collapse, and the Stimulus controllers.
import { Application } from "@hotwired/stimulus";
import Collapse from "bootstrap/js/dist/collapse";
import Dropdown from "bootstrap/js/dist/dropdown";
import htmx from "htmx.org";
import { CONTROLLERS } from "./controllers/index.js";
import { handleRequests } from "./requests.js";

window.htmx = htmx;
handleRequests(document);

const application = Application.start();
for (const [name, controller] of Object.entries(CONTROLLERS)) {
  application.register(name, controller);
}

// Importing them wires up data-bs-toggle; the reference keeps the bundler from dropping the imports.
window.bootstrap = { Collapse, Dropdown };
