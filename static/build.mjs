// Bundles the front end into static/dist: app, editor, plot, workbench, labelling, theme, feedback, and the icons for the templates.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const require = createRequire(import.meta.url);

const common = {
  bundle: true,
  minify: true,
  outdir: dist,
  target: ["chrome123", "firefox128", "safari17.5"], // light-dark() and relative colours, as Tabler needs
  legalComments: "none",
  logLevel: "warning",
};

const plotly = await readFile(require.resolve("plotly.js-strict-dist-min"), "utf-8");
const plotlyStyleIds = [
  "plotly.js-style-global",
  ...[...plotly.matchAll(/getElementById\("([0-9a-f]{64})"\)/g)].map(([, id]) => id),
];

const bundles = [
  {
    ...common,
    format: "esm",
    define: { PLOTLY_STYLE_IDS: JSON.stringify(plotlyStyleIds) },
    entryPoints: {
      app: join(here, "js/app.js"),
      editor: join(here, "js/editor.js"),
      plot: join(here, "js/plot.js"),
      workbench: join(here, "js/workbench.js"),
      labelling: join(here, "js/labelling.js"),
    },
  },
  // Runs before the first paint, so it is a classic script and small.
  { ...common, format: "iife", entryPoints: { theme: join(here, "js/theme.js") } },
  // For pages of others: a classic script on its own, small, for somewhat older browsers too.
  {
    ...common,
    format: "iife",
    target: ["chrome99", "firefox101", "safari16.4"],
    entryPoints: { feedback: join(here, "js/feedback.js") },
  },
  { ...common, entryPoints: { app: join(here, "css/app.css") } },
];

/** Every outline icon as the inside of its <svg>, by name. */
async function writeIcons() {
  const nodes = JSON.parse(
    await readFile(join(here, "../node_modules/@tabler/icons/tabler-nodes-outline.json"), "utf-8"),
  );
  const drawings = {};
  for (const [name, shapes] of Object.entries(nodes)) {
    drawings[name] = shapes
      .map(
        ([tag, attributes]) =>
          `<${tag} ${Object.entries(attributes)
            .map(([key, value]) => `${key}="${value}"`)
            .join(" ")}/>`,
      )
      .join("");
  }
  await writeFile(join(dist, "icons.json"), JSON.stringify(drawings));
}

/**
 * plotly injects its rules with a <style> element, which a strict content security policy refuses; it leaves
 * that out where the page already has them. So the rules are read out of the bundle into a sheet of our own.
 */
async function writePlotStyles(source) {
  const table = source.match(/\{("X,X div":.*?)\};for\(/s);
  if (!table) {
    throw new Error("plotly's bundle no longer holds its rules in the known shape: mend writePlotStyles");
  }
  const rules = [...table[1].matchAll(/(?:"([^"]*)"|\b(Y)):(?:'([^']*)'|"((?:[^"\\]|\\.)*)")/g)];
  const sheet = rules.map(([, quoted, bare, single, double]) => {
    const selector = (quoted ?? bare)
      .replaceAll("X", ".js-plotly-plot .plotly")
      .replaceAll("Y", ".plotly-notifier");
    return `${selector} { ${single ?? double} }`;
  });
  const minified = await esbuild.transform(sheet.join("\n"), { loader: "css", minify: true });
  await writeFile(join(dist, "plot.css"), minified.code);
}

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
await Promise.all([writeIcons(), writePlotStyles(plotly)]);
if (process.argv.includes("--watch")) {
  for (const options of bundles) await (await esbuild.context(options)).watch();
} else {
  await Promise.all(bundles.map((options) => esbuild.build(options)));
}
