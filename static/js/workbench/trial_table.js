// A trial as a table: rows × columns, what each answer scored, and what each column came to.
import { count, el, plural } from "./dom.js";
import { dollars, seconds } from "./output_words.js";

const STATES = {
  pending: "Waiting",
  running: "Running",
  cancelled: "Stopped",
  failed: "Failed",
  unfit: "Does not fit",
};
const UNDER_WAY = ["pending", "running"];

export const scoreText = (value) =>
  Number.isInteger(value) ? String(value) : Number(value.toPrecision(3)).toString();

/** 1 when `value` is better than `first`, -1 when worse, 0 when neither can be said. */
export function compared(value, first, direction) {
  if (value === null || value === undefined || first === null || first === undefined) return 0;
  if (!direction || value === first) return 0;
  return value > first === (direction === "higher") ? 1 : -1;
}

function marked(direction) {
  if (direction > 0)
    return el("span", { class: "wb-better", text: "▲", title: "Better than the first column" });
  if (direction < 0)
    return el("span", { class: "wb-worse", text: "▼", title: "Worse than the first column" });
  return null;
}

/**
 * @param {object} trial as the server tells it
 * @param {{title: (column: object) => string, fill: (row: object) => void, expand: (cell: object) => Promise<string>,
 *   evaluate: (column: object) => HTMLElement}} acts
 */
export function trialTable(trial, acts) {
  const { columns } = trial;
  const head = el(
    "tr",
    {},
    el("th", { scope: "col", text: "Row" }),
    ...columns.map((column) =>
      el(
        "th",
        { scope: "col" },
        el("span", { class: "wb-trial-column", text: acts.title(column) }),
        el("span", { class: "wb-trial-model", text: column.model }),
      ),
    ),
  );
  const sums = el(
    "tr",
    { class: "wb-trial-sums" },
    el("th", { scope: "row", text: "All" }),
    ...columns.map((column) => el("td", {}, sumsOf(trial, column), acts.evaluate(column))),
  );
  const table = el(
    "table",
    { class: "table wb-trial-table" },
    el("thead", {}, head),
    el("tbody", {}, sums, ...trial.rows.map((row) => rowOf(trial, row, acts))),
  );
  return el(
    "div",
    { class: "table-responsive", tabindex: "0", role: "region", "aria-label": "Answers by row" },
    table,
  );
}

function rowOf(trial, row, acts) {
  const fill = el("button", {
    type: "button",
    class: "wb-trial-row",
    text: row.label || row.key,
    title: "Put the values of this row into the variables",
    on: { click: () => acts.fill(row) },
  });
  const reference =
    row.reference === null
      ? null
      : el("p", { class: "wb-trial-reference", text: `Reference: ${row.reference}` });
  const [first] = trial.columns;
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, fill, reference),
    ...trial.columns.map((column) => {
      const baseline = column === first ? null : row.cells[first.id];
      return el("td", {}, ...cellOf(trial, row.cells[column.id], baseline, acts));
    }),
  );
}

function cellOf(trial, cell, baseline, acts) {
  if (!cell) return [];
  const parts = [];
  if (STATES[cell.status])
    parts.push(el("span", { class: `wb-trial-state wb-trial-${cell.status}`, text: STATES[cell.status] }));
  if (cell.error) parts.push(el("p", { class: "wb-error", text: cell.error }));
  if (cell.output) parts.push(outputOf(cell, acts));
  for (const call of cell.tool_calls ?? [])
    parts.push(el("p", { class: "wb-trial-output", text: `Calls ${(call.function ?? call).name}` }));
  if (cell.status === "completed" && !cell.output && !cell.tool_calls?.length)
    parts.push(el("p", { class: "form-hint", text: "The answer is empty." }));
  parts.push(...scoresOf(trial, cell, baseline));
  const figures = [];
  if (cell.duration_ms !== null && cell.duration_ms !== undefined) figures.push(seconds(cell.duration_ms));
  if (cell.cost_usd !== null && cell.cost_usd !== undefined) figures.push(dollars(cell.cost_usd));
  if (figures.length && !UNDER_WAY.includes(cell.status))
    parts.push(el("p", { class: "wb-trial-figures", text: figures.join(" · ") }));
  return parts;
}

function outputOf(cell, acts) {
  const text = el("p", { class: "wb-trial-output", text: cell.output });
  if (!cell.more && cell.output.length < 160) return text;
  text.classList.add("wb-trial-clipped");
  const button = el("button", {
    type: "button",
    class: "wb-trial-more",
    text: "More",
    "aria-expanded": "false",
  });
  button.addEventListener("click", async () => {
    const open = button.getAttribute("aria-expanded") === "true";
    if (!open && cell.more) text.textContent = await acts.expand(cell);
    text.classList.toggle("wb-trial-clipped", open);
    button.setAttribute("aria-expanded", String(!open));
    button.textContent = open ? "More" : "Less";
  });
  return el("div", {}, text, button);
}

/** One metric of an evaluator goes by its name, several are told apart. */
function metricWords(trial, metric) {
  const alone = trial.metrics.filter(({ slug }) => slug === metric.slug).length === 1;
  return alone ? metric.evaluator : `${metric.evaluator}: ${metric.title}`;
}

function scoresOf(trial, cell, baseline) {
  if (cell.status !== "completed") return [];
  return trial.metrics.map((metric) => {
    const score = cell.scores[metric.name];
    const label = el("span", { class: "wb-score-name", text: metricWords(trial, metric) });
    if (!score) {
      const waiting = cell.scored ? "missing" : "…";
      return el("p", { class: "wb-score" }, label, el("span", { class: "wb-score-missing", text: waiting }));
    }
    if (score.value === null) {
      const missing = el("span", { class: "wb-score-missing", text: "missing", title: score.detail });
      return el(
        "p",
        { class: "wb-score" },
        label,
        missing,
        el("span", { class: "form-hint", text: score.detail }),
      );
    }
    const better = compared(score.value, baseline?.scores?.[metric.name]?.value, metric.direction);
    const value = el("span", { class: "wb-score-value", text: scoreText(score.value), title: score.detail });
    return el("p", { class: "wb-score" }, label, value, marked(better), score.label || null);
  });
}

function sumsOf(trial, column) {
  const figures = trial.figures[column.id];
  const first = trial.figures[trial.columns[0].id];
  const lines = trial.metrics.map((metric) => {
    const sum = figures.metrics[metric.name];
    const name = el("span", { class: "wb-score-name", text: metricWords(trial, metric) });
    if (sum.mean === null)
      return el(
        "p",
        { class: "wb-score" },
        name,
        el("span", { class: "wb-score-missing", text: "no value yet" }),
      );
    const better =
      column.id === trial.columns[0].id
        ? 0
        : compared(sum.mean, first.metrics[metric.name].mean, metric.direction);
    const missing = sum.missing ? `, ${sum.missing} missing` : "";
    return el(
      "p",
      { class: "wb-score" },
      name,
      el("strong", { class: "wb-score-value", text: scoreText(sum.mean) }),
      marked(better),
      el("span", { class: "form-hint", text: `n = ${sum.n}${missing}` }),
    );
  });
  const words = [`${count(figures.completed)} of ${count(figures.cells)} answered`];
  if (figures.failed) words.push(`${count(figures.failed)} failed`);
  if (figures.mean_ms !== null) words.push(`${seconds(figures.mean_ms)} on average`);
  if (figures.completed) words.push(figures.cost_usd === null ? "cost unknown" : dollars(figures.cost_usd));
  if (figures.judge_cost_usd === null) words.push("cost of judges unknown");
  else if (Number(figures.judge_cost_usd)) words.push(`judges ${dollars(figures.judge_cost_usd)}`);
  return el("div", {}, ...lines, el("p", { class: "wb-trial-figures", text: words.join(" · ") }));
}

/** What is left to wait for, in words. */
export function stateWords(trial) {
  const cells = trial.rows.flatMap((row) => Object.values(row.cells));
  const waiting = cells.filter((cell) => UNDER_WAY.includes(cell.status)).length;
  if (waiting) return `${plural(waiting, "answer")} to come`;
  if (!trial.done) return "Scores are being computed";
  const failed = cells.filter((cell) => ["failed", "unfit", "cancelled"].includes(cell.status)).length;
  return failed ? `Done; ${plural(failed, "answer")} missing` : "Done";
}

export function hasFailed(trial) {
  const cells = trial.rows.flatMap((row) => Object.values(row.cells));
  return cells.some((cell) => ["failed", "cancelled", "unfit"].includes(cell.status));
}
