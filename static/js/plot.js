// plotly, loaded only on pages with a figure. Colours come from the page, so a figure fits light and dark.
import Plotly from "plotly.js-strict-dist-min";

const CONFIG = { displaylogo: false, responsive: false, displayModeBar: false };

function colours(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    text: style.color,
    grid: read("--plot-grid"),
    way: [1, 2, 3, 4, 5, 6].map((n) => read(`--plot-${n}`)),
  };
}

function themed(layout, { text, grid, way }) {
  const themed = {
    autosize: true,
    margin: { l: 48, r: 16, t: layout.title ? 40 : 16, b: 40 },
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    colorway: way,
    font: { ...layout.font, color: text, family: "inherit", size: 12 },
  };
  for (const key of Object.keys({ xaxis: 0, yaxis: 0, ...layout })) {
    if (/^[xy]axis\d*$/.test(key)) {
      themed[key] = {
        automargin: true,
        ...layout[key],
        gridcolor: grid,
        zerolinecolor: grid,
        linecolor: grid,
      };
    }
  }
  return themed;
}

/** Draw a figure, or draw it again. @param {HTMLElement} element */
export async function draw(element, figure) {
  // plotly's Python template brings colours of a light page; ours take their place.
  const { template: _template, width: _width, height: _height, ...layout } = figure.layout ?? {};
  await Plotly.react(element, structuredClone(figure.data ?? []), themed(layout, colours(element)), {
    ...CONFIG,
    ...figure.config,
  });
}

export function resize(element) {
  if (element.data) Plotly.Plots.resize(element);
}

export function clear(element) {
  Plotly.purge(element);
}
