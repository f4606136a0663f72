import AddressController from "./address_controller.js";
import BlindController from "./blind_controller.js";
import ChatController from "./chat_controller.js";
import ChoiceController from "./choice_controller.js";
import ClipboardController from "./clipboard_controller.js";
import ConfirmController from "./confirm_controller.js";
import DirtyController from "./dirty_controller.js";
import DraftController from "./draft_controller.js";
import DrawerController from "./drawer_controller.js";
import EditorController from "./editor_controller.js";
import FilepickController from "./filepick_controller.js";
import ForwardController from "./forward_controller.js";
import KeysController from "./keys_controller.js";
import LabellingController from "./labelling_controller.js";
import PicksController from "./picks_controller.js";
import PlotController from "./plot_controller.js";
import RowsController from "./rows_controller.js";
import TailController from "./tail_controller.js";
import ThemeController from "./theme_controller.js";
import ToastController from "./toast_controller.js";
import WalkController from "./walk_controller.js";
import WorkbenchController from "./workbench_controller.js";

export const CONTROLLERS = {
  address: AddressController,
  blind: BlindController,
  chat: ChatController,
  choice: ChoiceController,
  clipboard: ClipboardController,
  confirm: ConfirmController,
  dirty: DirtyController,
  draft: DraftController,
  drawer: DrawerController,
  editor: EditorController,
  filepick: FilepickController,
  forward: ForwardController,
  keys: KeysController,
  labelling: LabellingController,
  picks: PicksController,
  plot: PlotController,
  rows: RowsController,
  tail: TailController,
  theme: ThemeController,
  toast: ToastController,
  walk: WalkController,
  workbench: WorkbenchController,
};
