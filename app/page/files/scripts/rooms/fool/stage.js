// The photo of the room "Fool", and its changed copy.

import * as address from "../../address.js";
import { html, nothing } from "../../html.js";
import { probabilityText, t } from "../../language.js";
import { compare } from "../../parts/compare.js";
import { cssVariables } from "../../parts/css_variables.js";
import { pixels } from "../../parts/pixels.js";
import { currentPhoto, photoSize } from "../../photo/photo.js";
import { isMultiLabel } from "../../service/kinds.js";
import { detail } from "../../service/models.js";
import { attack } from "./attack.js";
import { boxLayer } from "./box.js";

export const VIEWS = /** @type {const} */ (["compare", "pixels", "heat", "change"]);

/**
 * The photo: before an attack with the box, during it as it is so far, and after it before and after.
 * @param {import("./attack.js").AdversarialResult | null} result
 */
export function frame(result) {
  const photo = currentPhoto();
  const { width, height } = photoSize();
  const ratio = cssVariables({ "--ratio": width / height });
  if (!photo) return html`<figure class="frame" ${ratio}></figure>`;
  const beforeText = t("see.photo-alt", { name: photo.name });
  if (!result) {
    const preview = attack.work.running ? attack.latest?.preview : undefined;
    return html`<figure class="frame" ${ratio}>
      <img src=${preview ?? photo.url} alt=${beforeText} width=${width} height=${height} draggable="false">
      ${attack.work.running ? nothing : boxLayer()}
    </figure>`;
  }
  const afterText = altOf(result);
  const free = address.choice("view", VIEWS) === "pixels" ? "frame free" : "frame";
  return html`<figure class=${free} ${ratio}>${shown(result, photo.url, beforeText, afterText)}</figure>`;
}

/**
 * What the changed photo is to the model, for those who do not see it.
 * @param {import("./attack.js").AdversarialResult} result
 */
export function altOf({ model, adversarial: { label, probability } }) {
  if (!isMultiLabel(detail(model))) return t("fool.after-alt", { label });
  return t("fool.label.after-alt", { label, share: probabilityText(probability) });
}

/**
 * @param {import("./attack.js").AdversarialResult} result
 * @param {string} before
 * @param {string} beforeText
 * @param {string} afterText
 */
function shown(result, before, beforeText, afterText) {
  const view = address.choice("view", VIEWS);
  if (view === "heat") return html`<img src=${result.heat_map} alt=${t("fool.heat-alt")}>`;
  if (view === "change") return html`<img src=${result.perturbation} alt=${t("fool.change-alt")}>`;
  if (view === "pixels") {
    const [x = NaN, y = NaN] = address.value("at").split(",").map(Number);
    return pixels({
      before,
      after: result.image,
      at: Number.isInteger(x) && Number.isInteger(y) ? { x, y } : null,
      onMove: (at) => address.change({ at: `${at.x},${at.y}` }, { replace: true }),
    });
  }
  return compare({
    before,
    after: result.image,
    beforeText,
    afterText,
    split: address.number("split", 0, 100),
    onMove: (split, settled) => address.change({ split: String(split) }, { replace: true, moving: !settled }),
  });
}
