// A field in which a name is searched among many, after the pattern of ARIA: the keyboard stays in the field, and the
// arrows move through the list below it.

import { announce, redraw } from "../../drawing.js";
import { html, live, nothing, repeat } from "../../html.js";
import { t } from "../../language.js";

/** A name, and other names for the same. @typedef {{id: string, name: string, others: readonly string[]}} Entry */
/** An entry that matches, and its other name that does; empty if its own name matches. @typedef {{entry: Entry, other: string}} Match */
/**
 * @typedef {object} Options
 * @property {string} label
 * @property {readonly Entry[]} entries
 * @property {string} chosen id of an entry
 * @property {(id: string) => void} onChoose
 */

const MOST_SHOWN = 60;
let open = false;
let query = "";
let active = 0;

/** @param {string} text */
function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/**
 * How well a name matches: 0 best, 3 not at all.
 * @param {string} name
 * @param {string} wanted
 * @returns {number}
 */
function distance(name, wanted) {
  const at = plain(name).indexOf(wanted);
  if (at <= 0) return at === 0 ? 0 : 3;
  return /[\s-]/.test(name[at - 1] ?? "") ? 1 : 2;
}

/**
 * The entries that match, the best first.
 * @param {readonly Entry[]} entries
 * @param {string} text
 * @returns {Match[]}
 */
export function search(entries, text) {
  const wanted = plain(text.trim());
  if (!wanted) return entries.map((entry) => ({ entry, other: "" }));
  const ranked = entries.map((entry) => {
    const own = distance(entry.name, wanted);
    const others = entry.others.map((name) => distance(name, wanted));
    const best = Math.min(3, ...others);
    // Where an own name matches as well, the other names are not needed to explain why the entry is there.
    return { entry, other: own < 3 ? "" : (entry.others[others.indexOf(best)] ?? ""), rank: own < 3 ? own : best + 0.5 };
  });
  return ranked.filter(({ rank }) => rank < 3).sort((one, two) => one.rank - two.rank);
}

/** @param {Options} options */
export function combobox({ label, entries, chosen, onChoose }) {
  const name = entries.find(({ id }) => id === chosen)?.name ?? chosen;
  const matches = open ? search(entries, query) : [];
  const shown = matches.slice(0, MOST_SHOWN);
  const choose = (/** @type {Match | undefined} */ match) => {
    if (!match) return;
    close();
    onChoose(match.entry.id);
    selectText();
  };
  return html`<div class="combobox">
    <label for="combobox-field">${label}</label>
    <input id="combobox-field" type="text" role="combobox" autocomplete="off" spellcheck="false" aria-autocomplete="list"
      aria-expanded=${open} aria-controls="combobox-list" .value=${live(open ? query : name)}
      placeholder=${open ? name : nothing}
      aria-activedescendant=${shown[active] ? `combobox-${active}` : nothing}
      @focus=${show} @click=${show} @blur=${close} @input=${type(entries)}
      @keydown=${(/** @type {KeyboardEvent} */ event) => press(event, shown, choose)}>
    <ul id="combobox-list" role="listbox" aria-label=${label} ?hidden=${!open || !shown.length}
      @pointerdown=${(/** @type {Event} */ event) => event.preventDefault()}>
      ${repeat(shown, ({ entry }) => entry.id, (match, index) => html`<li id="combobox-${index}" role="option"
          aria-selected=${index === active} @click=${() => choose(match)}>
          <span>${match.entry.name}</span>
          ${match.other ? html`<span class="hint">${t("subject.also", { name: match.other })}</span>` : nothing}</li>`)}
    </ul>
    ${open && matches.length > shown.length ? html`<p class="hint more">${t("subject.more", { count: matches.length - shown.length })}</p>` : nothing}
    ${open && !matches.length ? html`<p class="hint more">${t("subject.none")}</p>` : nothing}
  </div>`;
}

function show() {
  if (open) return;
  open = true;
  query = "";
  active = 0;
  redraw();
}

function close() {
  if (!open) return;
  open = false;
  redraw();
}

/** @param {readonly Entry[]} entries */
function type(entries) {
  return (/** @type {Event} */ event) => {
    query = /** @type {HTMLInputElement} */ (event.target).value;
    open = true;
    active = 0;
    announce(t("subject.matches", { count: search(entries, query).length }));
    redraw();
  };
}

/**
 * @param {KeyboardEvent} event
 * @param {readonly Match[]} shown
 * @param {(match: Match | undefined) => void} choose
 */
function press(event, shown, choose) {
  const { key } = event;
  if (key === "ArrowDown" || key === "ArrowUp") {
    event.preventDefault();
    if (!open) return show();
    const step = key === "ArrowDown" ? 1 : -1;
    active = shown.length ? (active + step + shown.length) % shown.length : 0;
    redraw();
    requestAnimationFrame(() => document.getElementById(`combobox-${active}`)?.scrollIntoView({ block: "nearest" }));
  } else if (key === "Enter" && open) {
    event.preventDefault();
    choose(shown[active]);
  } else if (key === "Escape" && open) {
    event.preventDefault();
    close();
    selectText();
  }
}

/** Selects the chosen name in the field, once it is drawn, so that what is typed next takes its place. */
function selectText() {
  requestAnimationFrame(() => /** @type {HTMLInputElement | null} */ (document.getElementById("combobox-field"))?.select());
}
