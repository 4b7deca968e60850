/** Numbers as people read them. */
import { original, visible } from "./hidden";

export function percent(share: number | null | undefined, digits = 1): string {
  if (share === null || share === undefined) return "–";
  const text = (100 * share).toFixed(digits);
  // What is nearly all is not all, and what is nearly none is not none.
  const step = (10 ** -digits).toFixed(digits);
  if (share < 1 && Number(text) === 100) return `over ${(100 - Number(step)).toFixed(digits)} %`;
  return share > 0 && Number(text) === 0 ? `under ${step} %` : `${text} %`;
}

/** A bound from above as a percentage: what is printed is never below it. */
export function percentAtMost(share: number, digits = 1): string {
  const scale = 10 ** digits;
  return `${(Math.ceil(100 * share * scale - 1e-9) / scale).toFixed(digits)} %`;
}

export function count(n: number): string {
  return n.toLocaleString("en-US");
}

export function many(n: number, noun: string, plural = `${noun}s`): string {
  return `${count(n)} ${n === 1 ? noun : plural}`;
}

/** A p-value in words: what is shown is never smaller than what is known. */
export function pValue(p: number): string {
  return p < 0.0001 ? "p < 0.0001" : `p = ${p.toPrecision(2)}`;
}

export function ordinal(n: number): string {
  const rest = n % 100;
  const end = rest >= 11 && rest <= 13 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${end}`;
}

/** A percentile in words: what is shown is never more extreme than what is known. */
export function percentile(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : value >= 99.95 ? "top" : ordinal(Math.min(99, Math.max(1, Math.round(value))));
}

/** A size or a shift: short, and never "-0". */
export function short(value: number, digits = 2): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : text;
}

/** A decimal of few digits that is not above the value: what was proved up to it is true of what is printed. */
export function atMost(value: number, digits = 3): string {
  return towards(value, digits, -1);
}

/** A decimal of few digits that is not below the value. */
export function atLeast(value: number, digits = 3): string {
  return towards(value, digits, 1);
}

/** A size with its verdict: never larger than was proved, never smaller than was broken. */
export function sized(value: number, verdict: string, digits = 3): string {
  return verdict === "holds" ? atMost(value, digits) : verdict === "violated" ? atLeast(value, digits) : value.toPrecision(digits);
}

function towards(value: number, digits: number, sign: 1 | -1): string {
  const text = value.toPrecision(digits);
  if (!Number.isFinite(value) || value === 0 || sign * (Number(text) - value) >= 0) return text;
  const power = Number(value.toExponential().split("e")[1]) - digits + 1;
  // One unit of the last digit further, by whole numbers, so that no rounding takes it back.
  const units = Math.round(Number(text) / 10 ** power) + sign;
  return Number(`${units}e${power}`).toPrecision(digits);
}

/** A name as Con_spec takes it: bare where it can be, else in quotes. */
export function specName(name: string): string {
  return /^[\p{L}_][\p{L}\p{N}_]*(?:-[\p{L}\p{N}_]+)*$/u.test(name) ? name : visible(JSON.stringify(original(name)));
}

/** A sentence that begins as sentences do; a command stays as it has to be typed. */
export function sentence(text: string): string {
  return /^(conspect|pip) /.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
}

/** The same with an end: reasons and remarks come as parts of a line. */
export function closed(text: string): string {
  return sentence(text) + (/[.!?:]$/.test(text) ? "" : ".");
}

/** What the size of a region of some shape counts. */
export function sizeWords(shape: string | null | undefined): string {
  const words: Record<string, string> = {
    box: "half its width, in standard deviations of each dimension",
    "pca-box": "half its width, in standard deviations along each principal axis",
    ellipsoid: "the Mahalanobis distance of its edge from the mean: in one dimension, standard deviations",
  };
  return words[shape ?? ""] ?? "0 is the mean alone, and the larger it is, the more images lie inside";
}

/** The share of images, in percent, that a region of a class with so many test images can be shown to hold: nine of ten, and less
 * of few images. About half of them size the region, and of n no more than n / (n + 1) is ever shown. */
export function heldShare(images: number): number {
  return images >= 40 ? 90 : images >= 16 ? 80 : 50;
}

/** A property over the kind of region that the study's own proofs are told for: of what it reads, holding a share of the images. */
export function overSpan(name: string, className: string, formula: string, share = 90): string {
  return `# Try it: change a name, or the share of images that the region holds, then prove (Ctrl+Enter).\nproperty ${name}:\n    for all x in focus(${specName(className)}, coverage = ${share}%, shape = span):\n        ${formula}\n`;
}

/** Where in a list an address begins to read it: what is no place in a list is its beginning. */
export function placeIn(text: string | undefined): number {
  const place = Number(text ?? 0);
  return Number.isSafeInteger(place) && place > 0 ? place : 0;
}
