// The pictures that come with the page. Sizes are known before a picture is there, so that nothing moves when it comes.

/** @typedef {{id: string, file: string, width: number, height: number, text: string}} Sample */

/** @type {readonly Sample[]} */
export const SAMPLES = [
  { id: "chelsea", file: "chelsea.jpg", width: 451, height: 300, text: "sample.chelsea" },
  { id: "drawn-dog", file: "drawn-dog.jpg", width: 320, height: 320, text: "sample.drawn-dog" },
  { id: "stripes", file: "stripes.png", width: 320, height: 240, text: "sample.stripes" },
];

/** @param {Sample} sample */
export function sampleUrl(sample) {
  return new URL(`../../samples/${sample.file}`, import.meta.url);
}

/** @param {Sample} sample */
export function samplePath(sample) {
  return `page/samples/${sample.file}`;
}
