// What is folded away until somebody wants it. Whether it is open is in the address.

import * as address from "../address.js";
import { html, live } from "../html.js";

/**
 * @param {string} name the value of the address, and the class of the element
 * @param {string} summary
 * @param {unknown} content
 */
export function fold(name, summary, content) {
  const toggle = (/** @type {Event} */ event) => {
    const { open } = /** @type {HTMLDetailsElement} */ (event.target);
    address.change({ [name]: open ? "1" : "" }, { replace: true });
  };
  return html`<details class=${name} ?open=${live(address.value(name) === "1")} @toggle=${toggle}>
    <summary>${summary}</summary>
    <div class="fold-content">${content}</div>
  </details>`;
}
