// When the page is drawn again: once per frame of the display, however often its state has changed.

/** @type {() => void} */
let draw = () => {};
let pending = false;

/**
 * Sets the function that draws the whole page.
 * @param {() => void} function_
 */
export function drawWith(function_) {
  draw = function_;
}

/** Draws the page at the next frame. Call this after every change of the state. */
export function redraw() {
  if (pending) return;
  pending = true;
  // A tab in the background has no frames, so that a long attack in it costs nothing until it is looked at.
  requestAnimationFrame(() => {
    pending = false;
    draw();
  });
}

/**
 * Says a text to screen readers, without showing it.
 * @param {string} text
 */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  if (announcer) announcer.textContent = text;
}
