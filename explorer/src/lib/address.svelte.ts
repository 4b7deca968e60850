/** The whole view lives in the address, so that a link shows somebody else the same thing. */

export const VIEWS = ["study", "images", "heatmap", "ask", "image", "labels", "prove", "witness", "sliders", "live", "compare", "summary"] as const;
export type View = (typeof VIEWS)[number];

export type Parameters = Readonly<Record<string, string>>;

/** What of an address filters images; every view that shows images obeys these and no others. */
export const FILTERS = ["label", "output", "set", "diagnosis", "pair", "holds", "least", "most", "tag", "text", "slice", "broken", "monitor", "changed", "margin_from", "margin_below", "accepted_to"] as const;

export interface Place {
  readonly view: View;
  readonly parameters: Parameters;
}

export function placeOf(search: string): Place {
  const given = new URLSearchParams(search);
  const view = VIEWS.find((known) => known === given.get("view")) ?? "study";
  const parameters: Record<string, string> = {};
  for (const [key, value] of given) if (key !== "view" && value !== "") parameters[key] = value;
  return { view, parameters };
}

export function addressOf(place: Place): string {
  const search = new URLSearchParams({ view: place.view });
  for (const key of Object.keys(place.parameters).sort()) {
    const value = place.parameters[key];
    if (value) search.set(key, value);
  }
  return `/?${search}`;
}

export function filtersOf(parameters: Parameters): Parameters {
  return Object.fromEntries(FILTERS.flatMap((key) => (parameters[key] ? [[key, parameters[key]]] : [])));
}

class Address {
  place = $state<Place>(placeOf(typeof location === "undefined" ? "" : location.search));

  constructor() {
    if (typeof addEventListener !== "undefined")
      addEventListener("popstate", () => {
        this.place = placeOf(location.search);
      });
  }

  /** Goes to `view`; undefined takes a parameter away. Another view is read from its top. */
  go(view: View, parameters: Record<string, string | undefined> = {}): void {
    const kept = Object.fromEntries(Object.entries(parameters).flatMap(([k, v]) => (v ? [[k, v]] : [])));
    const place = { view, parameters: kept };
    if (addressOf(place) === addressOf(this.place)) return;
    history.pushState(null, "", addressOf(place));
    const another = view !== this.place.view;
    this.place = place;
    if (another) scrollTo(0, 0);
  }

  /** Changes parameters of the view that is shown, as a step that going back undoes. */
  step(changes: Record<string, string | undefined>): void {
    this.go(this.place.view, { ...this.place.parameters, ...changes });
  }

  /** The same without a step: what changes many times a second, or moves a mark on what is shown. */
  adjust(changes: Record<string, string | undefined>): void {
    const parameters = { ...this.place.parameters } as Record<string, string>;
    for (const [key, value] of Object.entries(changes)) {
      if (value) parameters[key] = value;
      else delete parameters[key];
    }
    this.place = { view: this.place.view, parameters };
    history.replaceState(null, "", addressOf(this.place));
  }
}

export const address = new Address();
