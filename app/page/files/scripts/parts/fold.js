// What is folded away until somebody wants it. Whether it is open is in the address.

import * as address from "../address.js";
import { html } from "../html.js";

/**
 * @param {string} name the value of the address, and the class of the element
 * @param {string} summary
 * @param {unknown} content
 */
export function fold(name, summary, content) {
  const open = address.value(name) === "1";
  // The address opens and closes it. The browser would do so at once and tell it later: between the two, a redraw would
  // undo it.
  const toggle = (/** @type {Event} */ event) => {
    event.preventDefault();
    address.change({ [name]: open ? "" : "1" }, { replace: true });
  };
  return html`<details class=${name} ?open=${open}>
    <summary @click=${toggle}>${summary}</summary>
    <div class="fold-content">${content}</div>
  </details>`;
}
