// The value of a field that somebody may be typing into: it is not changed under their hands.

import { Directive, directive } from "../../vendor/lit-html/directive.js";
import { noChange } from "../../vendor/lit-html/lit-html.js";

class Typed extends Directive {
  /** @param {string} value */
  render(value) {
    return value;
  }

  /**
   * @param {import("../../vendor/lit-html/lit-html.js").PropertyPart} part
   * @param {[string]} values
   * @override
   */
  update(part, [value]) {
    const field = /** @type {HTMLInputElement} */ (part.element);
    if (field !== document.activeElement && field.value !== value) field.value = value;
    return noChange;
  }
}

/** `<input .value=${typed(seed)}>` */
export const typed = directive(Typed);
