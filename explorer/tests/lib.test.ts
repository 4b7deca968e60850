import { describe, expect, it } from "vitest";
import { addressOf, filtersOf, placeOf } from "../src/lib/address.svelte";
import { colourOf, pixels, strongestFirst } from "../src/lib/heatmap";
import { everyText, original, parsed, visible } from "../src/lib/hidden";
import { Latest, shiftsOf, textOf } from "../src/lib/latest";
import { mapWords, shadesOf } from "../src/lib/maps";
import { csv } from "../src/lib/saving";
import { atLeast, atMost, closed, heldShare, many, ordinal, overSpan, percent, percentAtMost, placeIn, percentile, pValue, sentence, short, sized, sizeWords, specName } from "../src/lib/words";

describe("the address", () => {
  it("reads back what it writes, whatever stands in a value", () => {
    const place = { view: "images" as const, parameters: { pair: "a&b=c > \"d\"", label: "naïve é", holds: "true" } };
    expect(placeOf(addressOf(place).slice(1))).toEqual(place);
  });
  it("takes an unknown view for the overview and drops empty values", () => {
    expect(placeOf("?view=<script>&label=")).toEqual({ view: "study", parameters: {} });
  });
  it("gives views that show images their filters and nothing else", () => {
    expect(filtersOf({ label: "cat", order: "file", offset: "60", id: "x", set: "wrong" })).toEqual({ label: "cat", set: "wrong" });
  });
});

describe("the heatmap", () => {
  const colours = { strong: [0, 0, 255], weak: [255, 0, 0], middle: [255, 255, 255], unseen: [128, 128, 128] } as const;
  it("is white at one half and full at the ends", () => {
    expect(colourOf(0.5, colours)).toEqual([255, 255, 255]);
    expect(colourOf(1, colours)).toEqual([0, 0, 255]);
    expect(colourOf(0, colours)).toEqual([255, 0, 0]);
  });
  it("hides the diagonal and greys concepts that are not seen", () => {
    const data = pixels([[0, 4, 4], [0, 0, 2], [0, 2, 0]], 4, [0, 1, 2], new Set([2]), colours);
    expect([...data.slice(0, 4)][3]).toBe(0);
    expect([...data.slice(4, 8)]).toEqual([0, 0, 255, 255]);
    expect([...data.slice(8, 12)]).toEqual([128, 128, 128, 110]);
  });
  it("puts the concept with the most wins first", () => {
    expect(strongestFirst([[0, 1], [9, 0]])).toEqual([1, 0]);
  });
});

describe("a table for a spreadsheet", () => {
  it("marks what would run as a formula, and quotes what would break a row", () => {
    expect(csv([["=HYPERLINK(1)", 'a"b', "c,d", -1]])).toBe('\'=HYPERLINK(1),"a""b","c,d",-1\r\n');
  });
});

describe("numbers in words", () => {
  it("never says that a probability is 0", () => {
    expect(pValue(1e-12)).toBe("p < 0.0001");
    expect(pValue(0.031)).toBe("p = 0.031");
  });
  it("counts one image and many images", () => {
    expect(many(1, "image")).toBe("1 image");
    expect(many(1234, "image")).toBe("1,234 images");
    expect([1, 2, 3, 11, 12, 13, 21, 102].map(ordinal)).toEqual(["1st", "2nd", "3rd", "11th", "12th", "13th", "21st", "102nd"]);
    expect(percent(null)).toBe("–");
  });
  it("never says all of nearly all, none of nearly none, or less than a bound", () => {
    expect([0, 1, 0.9996, 0.9994, 0.0004, 0.0006].map((share) => percent(share))).toEqual(["0.0 %", "100.0 %", "over 99.9 %", "99.9 %", "under 0.1 %", "0.1 %"]);
    expect([percent(0.999, 0), percent(0.004, 0), percent(0.5, 0)]).toEqual(["over 99 %", "under 1 %", "50 %"]);
    expect([0.02301, 0.023, 0, 1].map((share) => percentAtMost(share))).toEqual(["2.4 %", "2.3 %", "0.0 %", "100.0 %"]);
  });
});

describe("a concept's map", () => {
  const map = { concept: "wings", values: [[0, 2], [2, 4]], usual: 3 };
  it("is coloured against what is usual, and against its own mean where nothing is", () => {
    expect(shadesOf(map)).toEqual([[-1, -1 / 3], [-1 / 3, 1 / 3]]);
    expect(shadesOf({ ...map, usual: null })).toEqual([[-1, 0], [0, 1]]);
    expect(shadesOf({ ...map, values: [[3]] })).toEqual([[0]]);
  });
  it("is said to show more, less or nothing of it", () => {
    expect(mapWords(map, "truck")).toContain("less than that: orange is where it is lacking");
    expect(mapWords({ ...map, usual: 1 }, "truck")).toContain("the median of truck images");
    expect(mapWords({ ...map, usual: 1 }, "truck")).toContain("more than that");
    expect(mapWords({ ...map, usual: null }, "truck")).toContain("more than the mean over the picture");
  });
});

describe("a property over a span", () => {
  it("takes names as the language does", () => {
    expect(overSpan("p", "fire truck", "predict(x, \"fire truck\") implies a > b")).toContain('focus("fire truck", coverage = 90%, shape = span):');
    expect(overSpan("p", "cat", "a > b", heldShare(20))).toContain("coverage = 80%");
    expect([heldShare(400), heldShare(3)]).toEqual([90, 50]);
  });
});

describe("parts of lines", () => {
  it("become sentences, once", () => {
    expect(["a reason", "A sentence.", "why?"].map(closed)).toEqual(["A reason.", "A sentence.", "Why?"]);
    expect(sizeWords("box")).toContain("standard deviations");
    expect(sizeWords(undefined)).toEqual(sizeWords("span"));
  });
});

describe("a place in a list", () => {
  it("is its beginning where an address names none", () => {
    expect([undefined, "", "120", "-5", "abc", "1.5", "1e99"].map(placeIn)).toEqual([0, 0, 120, 0, 0, 0, 0]);
  });
});

describe("sliders", () => {
  it("keep their shifts in the address, whatever a concept is called", () => {
    const shifts = { horns: 1.5, "a:b|c": -2, "100 %": 0.25, "<script>": 3, "\u202e": -1 };
    expect(shiftsOf(textOf(shifts))).toEqual(shifts);
  });
  it("leave a concept where it is when a link is broken, and write none that stays", () => {
    expect(shiftsOf("horns:x|:2|%zz:1|wings:1|alone")).toEqual({ wings: 1 });
    expect(textOf({ horns: 0, wings: 1.234 })).toBe("wings:1.23");
  });
  it("ask one question at a time and only the newest of those that came meanwhile", async () => {
    const asked: number[] = [];
    const open: (() => void)[] = [];
    const latest = new Latest<number>((n) => { asked.push(n); return new Promise((done) => open.push(done)); });
    const all = [1, 2, 3, 4].map((n) => latest.ask(n));
    expect(asked).toEqual([1]);
    open[0]?.();
    await new Promise((done) => setTimeout(done));
    expect(asked).toEqual([1, 4]);
    open[1]?.();
    await Promise.all(all);
    expect(asked).toEqual([1, 4]);
  });
  it("go on after a question that failed", async () => {
    let asked = 0;
    const latest = new Latest<number>(async () => { asked += 1; if (asked === 1) throw new Error("gone"); });
    await expect(latest.ask(1)).rejects.toThrow("gone");
    await latest.ask(2);
    expect(asked).toBe(2);
  });
});

describe("percentiles and shifts in words", () => {
  it("say top only of the very top, and never 0th", () => {
    expect([percentile(100), percentile(99.9), percentile(0), percentile(50), percentile(null)]).toEqual(["top", "99th", "1st", "50th", "–"]);
  });
  it("have no minus nothing", () => {
    expect([short(-0.001), short(0), short(-1.234)]).toEqual(["0.00", "0.00", "-1.23"]);
  });
});

describe("a size that was proved", () => {
  it("is never printed as a larger one, nor a broken one as a smaller one", () => {
    expect(atMost(0.53678)).toBe("0.536");
    expect(atLeast(0.53612)).toBe("0.537");
    expect([sized(0.9996, "holds"), sized(0.9996, "violated"), sized(0.9996, "unknown")]).toEqual(["0.999", "1.00", "1.00"]);
    expect([atMost(0), atMost(2), atMost(-0.12349, 4), atLeast(-0.12349, 4)]).toEqual(["0.00", "2.00", "-0.1235", "-0.1234"]);
  });
  it("keeps its side for every number", () => {
    let seed = 1;
    for (let k = 0; k < 2000; k += 1) {
      seed = (seed * 16807) % 2147483647;
      const value = (seed / 2147483647 - 0.3) * 10 ** ((k % 14) - 7);
      for (const digits of [2, 3, 4]) {
        const [low, high] = [Number(atMost(value, digits)), Number(atLeast(value, digits))];
        expect(low).toBeLessThanOrEqual(value);
        expect(high).toBeGreaterThanOrEqual(value);
        expect(high - low).toBeLessThanOrEqual(1.0001 * 10 ** (Math.floor(Math.log10(Math.abs(value))) - digits + 1));
      }
    }
  });
});

describe("names that turn the text around them", () => {
  const name = "a\u202eb\u0085\u200bc";
  it("are shown with each such sign as its escape, and sent as they are", () => {
    expect(visible(name)).toBe("a\\u202eb\\u0085\\u200bc");
    expect(original(visible(name))).toBe(name);
    expect(visible("naïve é 条纹 👩\u200d🌾\n")).toBe("naïve é 条纹 👩\u200d🌾\n");
    expect(original("C:\\users\\u0041")).toBe("C:\\users\\u0041");
  });
  it("are made visible in answers, keys too, however the server escapes them", () => {
    const shown = { id: visible(name), n: [1, null, true], by: { [visible(name)]: "x" } };
    expect(parsed(JSON.stringify({ id: name, n: [1, null, true], by: { [name]: "x" } }))).toEqual(shown);
    expect(parsed('{"id":"a\\u202eb\\u0085\\u200bc","n":[1,null,true],"by":{"a\\u202eb\\u0085\\u200bc":"x"}}')).toEqual(shown);
    expect(everyText(shown, original, ["by"])).toEqual({ id: name, n: [1, null, true], by: { [visible(name)]: "x" } });
  });
  it("are escaped in specifications, and as they are in tables", () => {
    expect(specName(visible(name))).toBe('"a\\u202eb\\u0085\\u200bc"');
    expect(csv([[visible(name)]])).toBe(`${name}\r\n`);
  });
});

describe("a sentence", () => {
  it("begins with a capital, and a command as it has to be typed", () => {
    expect(sentence("open it")).toBe("Open it");
    expect(sentence("conspect explore BEFORE study")).toBe("conspect explore BEFORE study");
  });
});
