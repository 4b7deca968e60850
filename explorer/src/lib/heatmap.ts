/** Drawing a heatmap of many concepts on a canvas: a thousand by a thousand cells stay fluid. */

export interface Colours {
  strong: readonly [number, number, number];
  weak: readonly [number, number, number];
  middle: readonly [number, number, number];
  unseen: readonly [number, number, number];
}

/** Share 0..1 to red, green, blue: `weak` at 0, `middle` at one half, `strong` at 1. */
export function colourOf(share: number, colours: Colours): readonly [number, number, number] {
  const [end, t] = share >= 0.5 ? [colours.strong, 2 * share - 1] : [colours.weak, 1 - 2 * share];
  return [0, 1, 2].map((k) => Math.round((colours.middle[k] ?? 0) * (1 - t) + (end[k] ?? 0) * t)) as [number, number, number];
}

/** Cells to pixels, one each, in the order of `order`. `greater[i][j]` of `images`; rows of `unseen` concepts are grey. */
export function pixels(
  greater: readonly (readonly number[])[],
  images: number,
  order: readonly number[],
  unseen: ReadonlySet<number>,
  colours: Colours,
): Uint8ClampedArray<ArrayBuffer> {
  const size = order.length;
  const data = new Uint8ClampedArray(4 * size * size);
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      const i = order[y] ?? 0;
      const j = order[x] ?? 0;
      const known = i !== j && images > 0;
      const hidden = unseen.has(i) || unseen.has(j);
      const colour = !known || hidden ? colours.unseen : colourOf((greater[i]?.[j] ?? 0) / images, colours);
      data.set([...colour, known ? (hidden ? 110 : 255) : 0], 4 * (y * size + x));
    }
  return data;
}

/** Concepts from the one that is most often the stronger to the one that is most often the weaker. */
export function strongestFirst(greater: readonly (readonly number[])[]): number[] {
  const wins = greater.map((row) => row.reduce((sum, n) => sum + n, 0));
  return wins.map((_, k) => k).sort((a, b) => (wins[b] ?? 0) - (wins[a] ?? 0) || a - b);
}
