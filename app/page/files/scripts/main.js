// Starts the page: loads the texts and the list of models, and draws the room that the address names.

import * as address from "./address.js";
import { drawWith, redraw } from "./drawing.js";
import { footer, header, notices } from "./frame.js";
import { render } from "./html.js";
import { loadLanguage, t } from "./language.js";
import { isDragging, listenForPictures } from "./photo/picker.js";
import { loadPhoto } from "./photo/photo.js";
import * as fool from "./rooms/fool/fool.js";
import * as imagine from "./rooms/imagine/imagine.js";
import * as modelsRoom from "./rooms/models/models.js";
import * as see from "./rooms/see/see.js";
import { onBack } from "./service/connection.js";
import { loadModels } from "./service/models.js";
import { applyTheme } from "./theme.js";
import { isProblem, retryFailed } from "./work.js";

/**
 * A room. `refresh` starts what the address asks for and is not there yet; it is called whenever anything has changed.
 * `leave` ends what needs the service's work.
 * @typedef {{view: () => unknown, refresh: () => void, leave: () => void}} RoomModule
 */
/** @type {Record<address.Room, RoomModule>} */
const ROOMS = { see, fool, imagine, models: modelsRoom };

const places = {
  header: /** @type {HTMLElement} */ (document.getElementById("header")),
  notices: /** @type {HTMLElement} */ (document.getElementById("notices")),
  room: /** @type {HTMLElement} */ (document.getElementById("room")),
  footer: /** @type {HTMLElement} */ (document.getElementById("footer")),
};

function draw() {
  const room = address.room();
  ROOMS[room].refresh();
  document.title = `${t(`room.${room}`)} · Mirage`;
  document.body.classList.toggle("dragging", isDragging());
  render(header(), places.header);
  render(notices(useKey), places.notices);
  render(ROOMS[room].view(), places.room);
  render(footer(), places.footer);
}

function begin() {
  void loadModels().catch(() => {}); // a notice says why: the service is gone, or wants a key
  void loadPhoto();
  redraw();
}

function useKey() {
  retryFailed(isProblem("unauthorized"));
  begin();
}

address.onChange((before) => {
  if (before !== address.room()) {
    ROOMS[before].leave();
    scrollTo(0, 0);
    places.room.focus({ preventScroll: true }); // a screen reader goes on with the new room
  }
  void loadPhoto();
  redraw();
});
onBack(() => void loadPhoto());
addEventListener("pagehide", () => ROOMS[address.room()].leave());

applyTheme();
drawWith(draw);
listenForPictures();
await loadLanguage();
places.header.replaceChildren(); // the wordmark that stood there until now
begin();
draw();
