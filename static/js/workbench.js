// The workbench, loaded only on its own page. Each part is a function of (context) that wires one region of the page.
import { Api } from "./workbench/api.js";
import { Checks } from "./workbench/checking.js";
import { mountColumnTabs } from "./workbench/column_tabs.js";
import { Columns } from "./workbench/columns.js";
import { mountConversation } from "./workbench/conversation.js";
import { mountDrafts } from "./workbench/drafts.js";
import { mountFill } from "./workbench/fill.js";
import { mountIncludes } from "./workbench/includes.js";
import { mountJsonParts } from "./workbench/json_parts.js";
import { mountMessages } from "./workbench/messages.js";
import { mountOpened } from "./workbench/opened.js";
import { mountOutputs } from "./workbench/outputs.js";
import { mountParameters } from "./workbench/parameters.js";
import { mountPending } from "./workbench/pending.js";
import { mountRun } from "./workbench/run.js";
import { mountRunning } from "./workbench/running.js";
import { mountSaving } from "./workbench/saving.js";
import { Store } from "./workbench/store.js";
import { mountStream } from "./workbench/stream.js";
import { mountTimeline } from "./workbench/timeline.js";
import { mountTrials } from "./workbench/trials.js";
import { mountUndoNotice } from "./workbench/undo_notice.js";
import { mountValues } from "./workbench/values.js";

/**
 * In the order in which they are wired; a part may return a function that undoes it. What they share, in `context`:
 * root, nonce, boot, store, api; `flush()` writes what was typed a moment ago into the store; `checks` what the
 * server says of each column; `columns` adds, moves and names columns; `offerUndo(sentence, undo)`;
 * `run(columnIds?)`; `outputs.panels` by column id.
 */
const PARTS = [mountPending, mountStream, mountRun, mountUndoNotice, mountTimeline];
/** Only where the prompt may be edited. */
const EDITING = [
  mountDrafts,
  mountColumnTabs,
  mountMessages,
  mountParameters,
  mountJsonParts,
  mountIncludes,
  mountValues,
  mountOutputs,
  mountRunning,
  mountSaving,
  mountFill,
  mountTrials,
  mountConversation,
  mountOpened,
];

/**
 * Wire the page up.
 * @param {HTMLElement} root the element that holds the whole workbench
 * @param {{nonce: string}} options
 * @returns {() => void} takes everything down again
 */
export function mountWorkbench(root, { nonce }) {
  const boot = JSON.parse(root.querySelector("#workbench-boot").textContent);
  const context = { root, nonce, boot, store: new Store(boot.document), api: new Api(boot.urls) };
  context.checks = new Checks(context);
  context.columns = new Columns(context);
  const parts = boot.may_edit ? [...PARTS, ...EDITING] : PARTS;
  const undo = parts.map((mount) => mount(context));
  if (boot.may_edit) undo.push(context.checks.start());
  return () => undo.forEach((step) => step?.());
}
