// Running columns and stopping their calls.
import { notify } from "../notices.js";
import { ApiError } from "./api.js";
import { newId } from "./stream.js";

const ENDS = ["done", "failed", "cancelled"];
/** Waits before the same request is sent again while the server cannot be reached, in milliseconds. */
const AGAIN_AFTER = [1000, 2000, 4000];

/** Columns whose calls are asked for or under way: column → its call's id, "" while it is asked for. */
function runningOf(context) {
  if (!context.running) {
    context.running = new Map();
    const end = (event) => {
      if (context.running.get(event.column) === event.call) context.running.delete(event.column);
    };
    for (const type of ENDS) context.stream.on(type, end);
    context.stream.on("resumed", ({ calls }) => noteRunning(context, calls));
  }
  return context.running;
}

/** Wired after the stream, so that after a reload the columns that still run are known to. */
export function mountRun(context) {
  if (context.stream) runningOf(context);
}

function noteRunning({ running }, calls) {
  for (const call of calls) {
    if (["pending", "running"].includes(call.status)) running.set(call.column, call.id);
  }
}

/**
 * Run the columns as they stand, together. Those that run already are left alone, so a double click runs once.
 * Emits "asked" for each call on the stream. Gives {batch, calls}, or null when there was nothing to run.
 * Throws ApiError: its `body.errors` names places such as "columns[0].messages[1].content", of the columns in the
 * order given here, or "columns[0].values.name".
 * @param {string[]} columnIds
 */
export async function startRun(context, columnIds, { keep = false } = {}) {
  const running = runningOf(context);
  const { store, stream, page } = context;
  const columns = columnIds
    .filter((id) => !running.has(id) && store.column(id))
    .map((id) => store.column(id));
  if (!columns.length) return null;
  for (const { id } of columns) running.set(id, "");
  stream.open();
  const body = {
    page,
    batch: newId(),
    keep,
    values: store.document.values,
    columns: columns.map(({ id, base, typed }) => ({ id, base, typed })),
  };
  try {
    const answer = await sendUntilReached(context, body);
    for (const call of answer.calls) take(context, call);
    return answer;
  } catch (error) {
    for (const { id } of columns) if (running.get(id) === "") running.delete(id);
    if (error instanceof ApiError && error.body.errors) {
      error.body.errors = placedAsGiven(error.body.errors, columns, columnIds);
    }
    throw error;
  }
}

/** The server counts the columns that were sent; the caller those that it named. */
function placedAsGiven(errors, sent, columnIds) {
  const given = (place) =>
    place.replace(/^columns\[(\d+)\]/, (all, index) => {
      const column = sent[Number(index)];
      return column ? `columns[${columnIds.indexOf(column.id)}]` : all;
    });
  return Object.fromEntries(Object.entries(errors).map(([place, texts]) => [given(place), texts]));
}

function take({ running, stream }, call) {
  const over = stream.ended.has(call.id); // the stream may have been faster than the answer
  if (over) running.delete(call.column);
  else running.set(call.column, call.id);
  if (!over) stream.emit({ ...call, type: "asked", call: call.id });
}

/** The batch has a number of its own, so a request whose answer was lost does not run twice. */
async function sendUntilReached({ api, stream }, body) {
  for (const wait of [...AGAIN_AFTER, null]) {
    try {
      return await api.post("run", body);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 0 || wait === null) throw error;
      stream.emit({ type: "connection", state: "lost" });
      notify({
        level: "warning",
        title: "The server does not answer",
        detail: "It is asked again; your text is kept.",
      });
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  return null;
}

/** Ask for the call to be stopped; the stream tells when it is. */
export function stopCall(context, id) {
  return context.api.post("stop", {}, { parts: { id } });
}

/** Stop whatever of these columns runs. */
export function stopColumns(context, columnIds) {
  const ids = columnIds.map((id) => runningOf(context).get(id)).filter(Boolean);
  return Promise.all(ids.map((id) => stopCall(context, id)));
}
