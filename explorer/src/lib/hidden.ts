/** Characters that are not seen, or that turn the text around them: names of other people are shown without them acting. */

// Controls but tab and new line, marks of direction, invisible operators, a soft hyphen; joiners stay, scripts and emoji need them.
const HIDDEN = "\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u2064\\u2066-\\u206f\\ufeff";
const ONE = new RegExp(`[${HIDDEN}]`);
const ALL = new RegExp(`[${HIDDEN}]`, "g");

/** Each such character as its escape, "\u202e", which is also what Con_spec takes within quotes. */
export function visible(text: string): string {
  return text.replace(ALL, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The text that `visible` was made of: a name as the study has it. */
export function original(text: string): string {
  return text.replace(/\\u([0-9a-f]{4})/g, (escape, code: string) => {
    const sign = String.fromCharCode(parseInt(code, 16));
    return ONE.test(sign) ? sign : escape;
  });
}

/** A value of JSON with every text in it, keys too, made anew by `change`; of an object's `left` keys the value stays. */
export function everyText(value: unknown, change: (text: string) => string, left: readonly string[] = []): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((entry) => everyText(entry, change, left));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [change(key), left.includes(key) ? entry : everyText(entry, change, left)]));
}

/** An answer of the server, its texts made visible. */
export function parsed(json: string): unknown {
  const value: unknown = JSON.parse(json);
  return ONE.test(json) || json.includes("\\u") ? everyText(value, visible) : value;
}
