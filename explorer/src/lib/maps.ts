/** How a concept's map over a picture is coloured, and what the colours mean. */
import type { Schemas } from "./api";

type Map = Schemas["ConceptMap"];

export function meanOf(map: Map): number {
  const all = map.values.flat();
  return all.reduce((sum, value) => sum + value, 0) / Math.max(1, all.length);
}

/** Each position from -1 to 1: how far it is from what is usual, against the farthest; against the map's own mean where nothing
 * is known to be usual. */
export function shadesOf(map: Map): number[][] {
  const middle = map.usual ?? meanOf(map);
  const reach = Math.max(1e-9, ...map.values.flat().map((value) => Math.abs(value - middle)));
  return map.values.map((row) => row.map((value) => (value - middle) / reach));
}

/** In words; `against`: the class whose right images say what is usual. */
export function mapWords(map: Map, against: string): string {
  const exact = "The mean of the map is what comparisons read.";
  if (map.usual === null || map.usual === undefined) return `Where “${map.concept}” comes from: blue adds more than the mean over the picture, orange less. ${exact}`;
  const mean = meanOf(map);
  const usual = `the median of ${against} images that the model gets right`;
  const whole = mean < map.usual ? `As a whole the picture shows it less than that: orange is where it is lacking, and blue, if any, where it is not.` : `As a whole the picture shows it ${mean > map.usual ? "more than that" : "as much"}.`;
  return `Where “${map.concept}” is: blue shows more of it than is usual (${usual}), orange less. ${whole} ${exact}`;
}
