import { describe, expect, it } from "vitest";
import { addressOf, filtersOf, placeOf } from "../src/lib/address.svelte";
import { colourOf, pixels, strongestFirst, wilson } from "../src/lib/heatmap";
import { csv } from "../src/lib/saving";
import { many, ordinal, percent, pValue } from "../src/lib/words";

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
  it("has Wilson's interval: 8 of 10 is 0.490 to 0.943", () => {
    const [low, high] = wilson(8, 10);
    expect(low).toBeCloseTo(0.4902, 4);
    expect(high).toBeCloseTo(0.9433, 4);
    expect(wilson(0, 0)).toEqual([0, 1]);
    expect(wilson(10, 10)[1]).toBe(1);
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
});
