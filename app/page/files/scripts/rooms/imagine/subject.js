// What shall be drawn: a class of the model, or a channel of one of its layers.

import * as address from "../../address.js";
import { html, live, nothing } from "../../html.js";
import { t } from "../../language.js";
import { segments, select } from "../../parts/choices.js";
import { classReference, indexOfClass } from "../../service/classes.js";
import { detail, modelName } from "../../service/models.js";
import { combobox } from "./combobox.js";
import { typed } from "../../parts/typed.js";
import { chosenLayer, SUBJECTS } from "./options.js";

/** @typedef {import("./options.js").Choices} Choices */
/** @typedef {import("../../../../types/schemas.d.ts").ModelDetail} ModelDetail */

const MOST_CHIPS = 8;
/** The entries of the last model: a thousand of them are not made again at every frame. */
/** @type {{of: ModelDetail, entries: import("./combobox.js").Entry[]} | null} */
let made = null;

/** @param {Record<string, string>} values */
function set(values) {
  address.change({ ...values, run: "" });
}

/** @param {Choices} chosen */
export function subjectChoice(chosen) {
  return html`
    ${segments({
      name: "subject",
      label: t("subject.title", { model: chosen.model }),
      chosen: chosen.subject,
      choices: SUBJECTS.map((name) => ({ name, text: t(`subject.${name}`) })),
      onChoose: (subject) => set({ subject, layer: "", channel: "" }),
    })}
    <div class="subject">${chosen.subject === "class" ? classChoice(chosen) : channelChoice(chosen)}</div>`;
}

/** @param {Choices} chosen */
function classChoice({ class_ }) {
  const model = detail(modelName());
  const names = model?.class_names ?? [];
  const index = indexOfClass(names, class_);
  if (!model) return nothing;
  if (names.length > MOST_CHIPS) {
    return combobox({
      label: t("subject.class-of", { model: model.name }),
      entries: entriesOf(model),
      chosen: index === null ? class_ : String(index),
      onChoose: (id) => set({ class: classReference(names, Number(id)) }),
    });
  }
  return html`<fieldset class="chips">
    <legend class="only-spoken">${t("subject.class-of", { model: model.name })}</legend>
    <div>${names.map(
      (name, at) => html`<label><input type="radio" name="class" .checked=${live(at === index)}
          @change=${() => set({ class: classReference(names, at) })}><span>${name}</span></label>`,
    )}</div>
  </fieldset>`;
}

/** @param {ModelDetail} model */
function entriesOf(model) {
  if (made?.of !== model) {
    const names = model.class_names ?? [];
    const entries = names.map((name, index) => ({
      id: String(index),
      name,
      twin: names.indexOf(name) !== names.lastIndexOf(name),
      others: (model.synonyms?.[index] ?? []).filter((other) => other !== name),
    }));
    made = { of: model, entries };
  }
  return made.entries;
}

/** @param {Choices} chosen */
function channelChoice({ layer, channel }) {
  const layers = detail(modelName())?.layers ?? [];
  const known = chosenLayer();
  const most = (known?.channels ?? 1) - 1;
  return html`<div class="channel">
    ${select({
      label: t("subject.layer"),
      chosen: layer,
      choices: layers.map(({ name }) => ({ name, text: name })),
      onChoose: (name) => set({ layer: name, channel: "0" }),
    })}
    <label class="field"><span>${t("subject.channel-number", { most })}</span>
      <input type="number" min="0" max=${most} step="1" .value=${typed(String(channel))}
        @change=${(/** @type {Event} */ event) => set({ channel: whole(event, most) })}></label>
  </div>`;
}

/**
 * What was typed, as a whole number from 0 to `most`.
 * @param {Event} event
 * @param {number} most
 */
export function whole(event, most) {
  const typed = Number(/** @type {HTMLInputElement} */ (event.target).value);
  return String(Number.isFinite(typed) ? Math.min(most, Math.max(0, Math.round(typed))) : 0);
}
