// A field in which a name is searched among many, after the pattern of ARIA: the keyboard stays in the field, and the
// arrows move through the list below it.

import { announce, redraw } from "../../drawing.js";
import { html, live, nothing, repeat } from "../../html.js";
import { t } from "../../language.js";

/**
 * A name, and other names for the same. Of entries that have the same name, each is a `twin`.
 * @typedef {{id: string, name: string, others: readonly string[], twin: boolean}} Entry
 */
/**
 * An entry that matches, and which of its other names does; empty if its own name matches.
 * @typedef {{entry: Entry, other: string}} Match
 */
/**
 * @typedef {object} Options
 * @property {string} label
 * @property {readonly Entry[]} entries
 * @property {string} chosen id of an entry
 * @property {(id: string) => void} onChoose
 */

const MOST_SHOWN = 60;
const NO_MATCH = 3;
let open = false;
let query = "";
/** Index of the match on which the arrows stand; -1 before they are used and anything is typed. */
let active = -1;

/** @param {string} text */
function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

/**
 * How well a name matches: 0 at its beginning, 1 at the beginning of a word, 2 within one, or not at all.
 * @param {string} name
 * @param {string} wanted
 * @returns {number}
 */
function distance(name, wanted) {
  const at = plain(name).indexOf(wanted);
  if (at <= 0) return at === 0 ? 0 : NO_MATCH;
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
    const best = Math.min(NO_MATCH, ...others);
    // Where the own name matches, the other names are not needed to explain why the entry is there.
    if (own < NO_MATCH) return { entry, other: "", rank: own };
    return { entry, other: entry.others[others.indexOf(best)] ?? "", rank: best + 0.5 };
  });
  return ranked.filter(({ rank }) => !(rank >= NO_MATCH)).sort((one, two) => one.rank - two.rank);
}

/** @param {Options} options */
export function combobox({ label, entries, chosen, onChoose }) {
  const name = entries.find(({ id }) => id === chosen)?.name ?? chosen;
  const matches = open ? search(entries, query) : [];
  const shown = matches.slice(0, MOST_SHOWN);
  const rest = matches.length - shown.length;
  const choose = (/** @type {Match} */ match) => {
    close();
    onChoose(match.entry.id);
    selectText();
  };
  return html`<div class="combobox">
    <label for="combobox-field">${label}</label>
    <input id="combobox-field" type="text" role="combobox" autocomplete="off" spellcheck="false"
      aria-autocomplete="list" aria-expanded=${open} aria-controls="combobox-list" .value=${live(open ? query : name)}
      placeholder=${open ? name : nothing}
      aria-activedescendant=${shown[active] ? `combobox-${active}` : nothing}
      @focus=${selectText} @click=${show} @blur=${close} @input=${type(entries)}
      @keydown=${(/** @type {KeyboardEvent} */ event) => press(event, entries, choose)}>
    <div class="popup" ?hidden=${!open} @pointerdown=${(/** @type {Event} */ event) => event.preventDefault()}>
    <ul id="combobox-list" role="listbox" aria-label=${label} ?hidden=${!shown.length}>
      ${repeat(
        shown,
        ({ entry }) => entry.id,
        (match, index) => html`<li id="combobox-${index}" role="option"
          aria-selected=${index === active} @click=${() => choose(match)}>
          <span>${match.entry.name}</span>
          ${other(match) && html`<span class="hint">${t("subject.also", { name: other(match) })}</span>`}</li>`,
      )}
    </ul>
    ${
      open && (rest || !matches.length)
        ? html`<p class="hint more">${matches.length ? t("subject.more", { count: rest }) : t("subject.none")}</p>`
        : nothing
    }
    </div>
  </div>`;
}

/** Another name that is shown: the one that matches, or one that tells twins apart. @param {Match} match */
function other({ entry, other }) {
  return other || (entry.twin ? (entry.others[0] ?? "") : "");
}

function show() {
  if (open) return;
  open = true;
  query = "";
  active = -1;
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
 * @param {readonly Entry[]} entries
 * @param {(match: Match) => void} choose
 */
function press(event, entries, choose) {
  const { key } = event;
  // Not the matches that are drawn: a key may come before the letters that were typed just before it are drawn.
  const shown = open ? search(entries, query).slice(0, MOST_SHOWN) : [];
  if (key === "ArrowDown" || key === "ArrowUp") {
    event.preventDefault();
    if (!open) return show();
    const step = key === "ArrowDown" ? 1 : -1;
    active = active < 0 && step < 0 ? shown.length - 1 : (active + step + shown.length) % Math.max(1, shown.length);
    redraw();
    requestAnimationFrame(() => document.getElementById(`combobox-${active}`)?.scrollIntoView({ block: "nearest" }));
  } else if (key === "Enter" && open) {
    event.preventDefault();
    const match = shown[active];
    if (match) choose(match);
    else close();
  } else if (key === "Escape" && open) {
    event.preventDefault();
    close();
    selectText();
  }
}

/** Selects the chosen name in the field, once it is drawn, so that what is typed next takes its place. */
function selectText() {
  const field = /** @type {HTMLInputElement | null} */ (document.getElementById("combobox-field"));
  requestAnimationFrame(() => field?.select());
}
