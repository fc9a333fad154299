// Light or dark: as the system says, until the visitor chooses.

import { redraw } from "./drawing.js";
import { remember, remembered } from "./storage.js";

/** @typedef {"system" | "light" | "dark"} Theme */
/** @type {readonly Theme[]} */
export const THEMES = ["system", "light", "dark"];
const STORED = "mirage-theme";

/** The chosen theme. */
export function theme() {
  const stored = remembered("local", STORED);
  return THEMES.find((theme) => theme === stored) ?? "system";
}

/** Applies the theme that was chosen before. */
export function applyTheme() {
  const chosen = theme();
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

/**
 * Changes the theme, and remembers it.
 * @param {string} chosen
 */
export function chooseTheme(chosen) {
  remember("local", STORED, chosen);
  applyTheme();
  redraw();
}
