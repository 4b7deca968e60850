/** Numbers as people read them. */

export function percent(share: number | null | undefined, digits = 1): string {
  return share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)} %`;
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

/** A name as Con_spec takes it: bare where it can be, else in quotes. */
export function specName(name: string): string {
  return /^[\p{L}_][\p{L}\p{N}_]*(?:-[\p{L}\p{N}_]+)*$/u.test(name) ? name : JSON.stringify(name);
}
