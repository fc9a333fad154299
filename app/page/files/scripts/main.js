// Starts the page: loads the texts and the list of models, and draws the room that the address names.

import * as address from "./address.js";
import { drawWith, redraw } from "./drawing.js";
import { footer, header, notices } from "./frame.js";
import { render } from "./html.js";
import { hasText, loadLanguage, t } from "./language.js";
import { close as closeCamera } from "./photo/camera.js";
import { isDragging, listenForPictures } from "./photo/picker.js";
import { loadPhoto } from "./photo/photo.js";
import { noteNoAnswer, onBack } from "./service/connection.js";
import { loadModels } from "./service/models.js";
import { applyTheme } from "./theme.js";
import { isProblem, retryFailed } from "./work.js";

/**
 * A room. `refresh` starts what the address asks for and is not there yet; it is called whenever anything has changed.
 * `leave` ends what needs the service's work.
 * @typedef {{view: () => unknown, refresh: () => void, leave: () => void}} RoomModule
 */
/** A room is loaded when it is first entered. @type {Record<address.Room, () => Promise<RoomModule>>} */
const ROOMS = {
  see: () => import("./rooms/see/see.js"),
  fool: () => import("./rooms/fool/fool.js"),
  imagine: () => import("./rooms/imagine/imagine.js"),
  models: () => import("./rooms/models/models.js"),
};
/** @type {Partial<Record<address.Room, RoomModule>>} */
const loaded = {};
/** Rooms whose scripts did not come. @type {Set<address.Room>} */
const missing = new Set();
/** Whether the visitor is leaving the page. */
let leaving = false;

const places = {
  header: /** @type {HTMLElement} */ (document.getElementById("header")),
  notices: /** @type {HTMLElement} */ (document.getElementById("notices")),
  room: /** @type {HTMLElement} */ (document.getElementById("room")),
  footer: /** @type {HTMLElement} */ (document.getElementById("footer")),
};

/**
 * The module of a room; undefined until it is there. The page is drawn again once it is.
 * @param {address.Room} name
 */
function roomModule(name) {
  if (!loaded[name]) void load(name);
  return loaded[name];
}

/** @param {address.Room} name */
async function load(name) {
  if (missing.has(name)) return;
  try {
    loaded[name] = await ROOMS[name]();
    redraw();
  } catch {
    missing.add(name);
    noteNoAnswer();
  }
}

/** Loads the other rooms while there is nothing else to do, so that the visitor does not wait for them. */
function loadOthers() {
  for (const name of address.ROOMS) roomModule(name);
}

function draw() {
  const room = roomModule(address.room());
  if (!leaving) room?.refresh(); // it would begin again what was just ended
  document.title = `${t(`room.${address.room()}`)} · Mirage`;
  document.body.classList.toggle("dragging", isDragging());
  render(header(), places.header);
  render(notices(useKey, begin), places.notices);
  if (!room) return;
  render(room.view(), places.room);
  render(footer(), places.footer); // not before the room, which would push it down
}

function begin() {
  void loadModels();
  void loadPhoto();
  redraw();
}

function useKey() {
  retryFailed(isProblem("unauthorized"));
  begin();
}

address.onChange((before) => {
  if (before !== address.room()) {
    loaded[before]?.leave();
    closeCamera();
    scrollTo(0, 0);
    places.room.focus({ preventScroll: true }); // a screen reader goes on with the new room
  }
  void loadPhoto();
  redraw();
});
onBack(() => {
  // Browsers do not ask again for a module that has failed, until the page is loaded again; its address has its state.
  if (missing.size) return location.reload();
  void loadPhoto();
  if (!hasText("room.see")) void loadLanguage().then(redraw, noteNoAnswer);
});
addEventListener("pagehide", () => {
  leaving = true;
  loaded[address.room()]?.leave();
});
addEventListener("pageshow", ({ persisted }) => {
  leaving = false; // back from where the visitor went: the page is as it was left
  if (persisted) redraw();
});

applyTheme();
listenForPictures();
await loadLanguage().catch(noteNoAnswer);
places.header.replaceChildren(); // the wordmark that stood there until now
drawWith(draw); // not before the texts are there
begin();
draw();
// The first result comes first: these modules would compete with it for the connections to the service.
setTimeout(loadOthers, 1500);
