// plotly, loaded only on pages with a figure. Colours come from the page, so a figure fits light and dark.
import "./plot_styles.js";
import Plotly from "plotly.js-strict-dist-min";

const CONFIG = { displaylogo: false, responsive: false, displayModeBar: false };

/** The stylesheet's colours as plotly understands them: a probe resolves light-dark() and var(). */
function colours(element) {
  const probe = document.createElement("span");
  probe.hidden = true;
  element.append(probe);
  const read = (value) => {
    probe.style.color = value;
    return getComputedStyle(probe).color;
  };
  const found = {
    text: read("var(--tblr-body-color)"),
    surface: read("var(--surface)"),
    grid: read("var(--plot-grid)"),
    way: [1, 2, 3, 4, 5, 6].map((number) => read(`var(--plot-${number})`)),
    family: getComputedStyle(element).fontFamily,
  };
  probe.remove();
  return found;
}

/** Traces that say `meta.colour: n` share the n-th colour, e.g. a curve and its average. */
function coloured(trace, { way }) {
  const colour = way[trace.meta?.colour - 1];
  if (!colour) return trace;
  return { ...trace, line: { color: colour, ...trace.line }, marker: { color: colour, ...trace.marker } };
}

function themed(layout, { text, surface, grid, way, family }) {
  const whole = {
    autosize: true,
    margin: { l: 48, r: 16, t: layout.title ? 40 : 16, b: 40 },
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    colorway: way,
    font: { ...layout.font, color: text, family, size: 12 },
    hoverlabel: {
      bgcolor: surface,
      bordercolor: grid,
      font: { color: text, family, size: 12 },
      ...layout.hoverlabel,
    },
  };
  for (const key of Object.keys({ xaxis: 0, yaxis: 0, ...layout })) {
    if (/^[xy]axis\d*$/.test(key)) {
      whole[key] = {
        automargin: true,
        ...layout[key],
        gridcolor: grid,
        zerolinecolor: grid,
        linecolor: grid,
      };
    }
  }
  return whole;
}

/**
 * Draw a figure, or draw it again. Points of a figure that says `meta.follow` call `follow` with the query string
 * that their customdata ends with.
 * @param {HTMLElement} element
 */
export async function draw(element, figure, follow) {
  // plotly's Python template brings colours of a light page; ours take their place.
  const { template: _template, width: _width, height: _height, ...layout } = figure.layout ?? {};
  const shades = colours(element);
  const traces = structuredClone(figure.data ?? []).map((trace) => coloured(trace, shades));
  await Plotly.react(element, traces, themed(layout, shades), {
    ...CONFIG,
    ...figure.config,
  });
  const followed = Boolean(layout.meta?.follow && follow);
  element.classList.toggle("plot-followed", followed);
  element.removeAllListeners?.("plotly_click");
  if (followed) {
    element.on("plotly_click", ({ points }) => {
      const query = points[0]?.customdata?.at(-1);
      if (query) follow(query);
    });
  }
}

export function resize(element) {
  if (element.data) Plotly.Plots.resize(element);
}

export function clear(element) {
  Plotly.purge(element);
}
