// The texts of the page in the reader's language, and numbers as that language writes them.
// Each language is one file in languages/ that a translator can edit: docs/explanation/page.md says how.

import { redraw } from "./drawing.js";
import { remember, remembered } from "./storage.js";

/** The languages, each by its own name. */
export const LANGUAGES = /** @type {const} */ ({
  en: "English",
  bg: "Български",
  ru: "Русский",
  sr: "Српски",
  lt: "Lietuvių",
  ro: "Română",
});
/** @typedef {keyof typeof LANGUAGES} Language */
/** A text with placeholders `{name}`, or one text for each plural form of its placeholder `{count}`. */
/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Text */

const STORED = "mirage-language";
/** @type {Language} */
let language = "en";
/** The language that was chosen last, and may still be on its way. @type {Language} */
let wanted = "en";
/** @type {Record<string, Text>} */
let texts = {};

/** The language of the texts. */
export function currentLanguage() {
  return language;
}

/** Loads the language that the reader has chosen before, or the first of the browser's languages that there is. */
export async function loadLanguage() {
  const wishes = [remembered("local", STORED) ?? "", ...navigator.languages].map((wish) => wish.split("-", 1)[0] ?? "");
  await use(wishes.find(isLanguage) ?? "en");
}

/**
 * Changes the language, and remembers it.
 * @param {string} name
 */
export async function chooseLanguage(name) {
  if (!isLanguage(name)) return;
  remember("local", STORED, name);
  await use(name).catch(() => {}); // the texts that are there stay
  redraw();
}

/**
 * @param {string} name
 * @returns {name is Language}
 */
function isLanguage(name) {
  return Object.hasOwn(LANGUAGES, name);
}

/**
 * Loads the texts of a language; throws if they do not come.
 * @param {Language} name
 */
async function use(name) {
  wanted = name;
  const response = await fetch(new URL(`../languages/${name}.json`, import.meta.url));
  if (!response.ok) throw new Error(response.statusText);
  const loaded = await response.json();
  if (wanted !== name) return; // another one was chosen meanwhile
  texts = loaded;
  language = name;
  document.documentElement.lang = name;
}

/**
 * The text of a key, with its placeholders filled in. `count` is written as a number and chooses the plural form.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) return key;
  const template = typeof text === "string" ? text : pluralForm(text, Number(values.count));
  return template.replace(/\{(\w+)\}/g, (placeholder, name) => {
    const value = values[name];
    return value === undefined ? placeholder : typeof value === "number" ? number(value) : value;
  });
}

/**
 * Whether there is a text for the key.
 * @param {string} key
 */
export function hasText(key) {
  return texts[key] !== undefined;
}

/**
 * @param {Partial<Record<Intl.LDMLPluralRule, string>>} forms
 * @param {number} count
 */
function pluralForm(forms, count) {
  return forms[new Intl.PluralRules(language).select(count)] ?? forms.other ?? "";
}

/**
 * Names, with an "and" before the last one.
 * @param {readonly string[]} items
 */
export function list(items) {
  return new Intl.ListFormat(language, { type: "conjunction" }).format(items);
}

/**
 * A number with at most `digits` decimals.
 * @param {number} value
 * @param {number} [digits]
 */
export function number(value, digits = 2) {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
}

/**
 * A share from 0 to 1 in percent. What is not certain is never written as 100 %, nor what is possible as 0 %.
 * @param {number} share
 * @param {number} [digits]
 */
export function percent(share, digits = 1) {
  const step = 10 ** -(digits + 2);
  const rounded = Math.round(share / step) * step;
  const shown = share < 1 && rounded >= 1 ? 1 - step : share > 0 && rounded <= 0 ? step : rounded;
  const format = new Intl.NumberFormat(language, {
    style: "percent",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  const sign = share < 1 && rounded >= 1 ? ">\u00a0" : share > 0 && rounded <= 0 ? "<\u00a0" : "";
  return sign + format.format(shown);
}

/**
 * A probability in percent. No network is certain: what rounds to 100 % is written as more than 99.9 %, and what rounds
 * to 0 % as less than 0.1 %, also where the numbers of the network reach exactly 1 or 0.
 * @param {number} value from 0 to 1
 */
export function probabilityText(value) {
  return percent(Math.min(Math.max(value, 1e-9), 1 - 1e-9));
}

/**
 * Seconds, rounded to what a reader wants to know.
 * @param {number} seconds
 */
export function duration(seconds) {
  return t("unit.seconds", { count: seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds) });
}
