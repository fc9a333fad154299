// The frame around the rooms: the header with the rooms, the choice of the model, language and theme, and notices.

import * as address from "./address.js";
import { html, nothing } from "./html.js";
import { chooseLanguage, currentLanguage, LANGUAGES, t } from "./language.js";
import { select } from "./parts/choices.js";
import { problemNotice } from "./parts/problem.js";
import { isGone } from "./service/connection.js";
import { isKeyRefused, keyWanted, rememberKey } from "./service/key.js";
import { BASE } from "./service/requests.js";
import { isUsable, listFault, modelName, models } from "./service/models.js";
import { chooseTheme, theme, THEMES } from "./theme.js";

/** The header. */
export function header() {
  return html`
    <p class="wordmark"><a href="#see">Mirage</a></p>
    <nav aria-label=${t("frame.rooms")}>
      ${address.ROOMS.map(
        (room) => html`<a href=${address.link(room)} aria-current=${room === address.room() ? "page" : nothing}>
          ${t(`room.${room}`)}</a>`,
      )}
    </nav>
    <div class="tools">
      ${modelSwitch()}
      ${select({
        label: t("frame.language"),
        hideLabel: true,
        chosen: currentLanguage(),
        choices: Object.entries(LANGUAGES).map(([name, text]) => ({ name, text })),
        onChoose: chooseLanguage,
      })}
      ${select({
        label: t("frame.theme"),
        chosen: theme(),
        choices: THEMES.map((name) => ({ name, text: t(`theme.${name}`) })),
        onChoose: chooseTheme,
      })}
    </div>`;
}

function modelSwitch() {
  const known = models();
  const chosen = modelName();
  const choices = known.map(({ name, state }) => ({
    name,
    text: isUsable(state) ? name : t(`model.${state}`, { model: name }),
    disabled: !isUsable(state),
  }));
  // A link may name a model that this service does not have: it is shown as what it is, and the room says why it fails.
  if (chosen && !known.some((model) => model.name === chosen))
    choices.unshift({ name: chosen, text: chosen, disabled: true });
  return select({
    label: t("frame.model"),
    chosen,
    choices: choices.length ? choices : [{ name: "", text: "…", disabled: true }],
    onChoose: (model) => address.change({ model }),
  });
}

/**
 * Notices that concern the whole page: the service is gone, wants a key, or does not list its models.
 * @param {() => void} onKey called when a key was entered
 * @param {() => void} onRetry asks for the models again
 */
export function notices(onKey, onRetry) {
  return html`
    ${listFault() && !isGone() ? problemNotice(listFault(), onRetry) : nothing}
    ${isGone() ? html`<p class="notice banner" role="alert">${t("service.gone")}</p>` : nothing}
    ${keyWanted() ? keyForm(onKey) : nothing}`;
}

/** @param {() => void} onKey */
function keyForm(onKey) {
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    rememberKey(/** @type {string} */ (new FormData(form).get("key")));
    onKey();
  };
  return html`<form class="notice banner key" @submit=${submit}>
    <label>${t("key.label")}
      <input type="password" name="key" autocomplete="off" required></label>
    <button type="submit">${t("key.use")}</button>
    ${isKeyRefused() ? html`<p role="alert">${t("key.refused")}</p>` : nothing}
    <span class="hint">${t("key.hint")}</span>
  </form>`;
}

/** The footer. */
export function footer() {
  return html`<p>${t("footer.privacy")}</p><p><a href=${new URL("docs", BASE).href}>${t("footer.api")}</a></p>`;
}
