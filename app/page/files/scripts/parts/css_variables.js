// Sets CSS variables of an element. The page's security policy forbids the attribute `style`; this goes around it by
// the style object of the element, which the policy allows because no text from outside can reach it as CSS.

import { Directive, directive, PartType } from "../../vendor/lit-html/directive.js";
import { noChange } from "../../vendor/lit-html/lit-html.js";

class CssVariables extends Directive {
  /** @param {import("../../vendor/lit-html/directive.js").PartInfo} part */
  constructor(part) {
    super(part);
    if (part.type !== PartType.ELEMENT)
      throw new Error("cssVariables stands in a tag, not in an attribute or the text");
  }

  /** @param {Record<string, string | number>} _values */
  render(_values) {
    return noChange;
  }

  /**
   * @param {import("../../vendor/lit-html/lit-html.js").ElementPart} part
   * @param {[Record<string, string | number>]} values
   * @override
   */
  update(part, [values]) {
    const element = /** @type {HTMLElement} */ (part.element);
    for (const [name, value] of Object.entries(values)) element.style.setProperty(name, String(value));
    return noChange;
  }
}

/** `<div ${cssVariables({"--share": 0.5})}>` */
export const cssVariables = directive(CssVariables);
