/* Colour of a value in -1..1: toward one end of a blue-orange scale, which the colour-blind can tell apart. */
const colour = (value) => `color-mix(in srgb, var(--${value >= 0 ? "hi" : "lo"}) ${Math.round(100 * Math.min(1, Math.abs(value)))}%, var(--mid))`;
const SCALE = (low, high) => ({ low, high });
const OLDER = "These results were written by an older version, which did not keep what is established: run the study again. Until then every cell has a dot.";
const SET = 1, NOT_SET = -0.08, UNCLEAR = 0.3, YES = 0.85, NO = -0.5;

/* Images whose strengths the page knows: the first right ones of each class, and failures. */
const images = [...data.examples.map((image) => ({ ...image, output: image.label })), ...data.failures];
const H = data.heatmaps, names = H.concepts, K = names.length;
const stronger = (image, i, j) => image.strengths[data.shown[i]] > image.strengths[data.shown[j]];
const labelled = (c) => images.filter((image) => image.label === data.classes[c]);
const called = (c) => images.filter((image) => image.output === data.classes[c]);
const kinds = {
  ground_truth: (c) => shares(H.ground_truth[c], `images labelled ${data.classes[c]}`, labelled(c)),
  ground_truth_by_vlm: (c) => shares(H.ground_truth_by_vlm[c], `images labelled ${data.classes[c]}, seen by the VLM itself,`, null),
  output_label: (c) => shares(H.output_label[c], `images the model calls ${data.classes[c]}`, called(c)),
  differential_by_label: (c) => difference(H.differential_by_label[c], `labelled ${data.classes[c]}`, labelled(c)),
  differential_by_output: (c) => difference(H.differential_by_output[c], `that the model calls ${data.classes[c]}`, called(c)),
  binarized: (c) => cut(c),
  single: () => single(),
};

const sides = (pictured) => (i, j) => pictured && [
  [`${names[i]} is stronger`, pictured.filter((image) => stronger(image, i, j))],
  [`${names[i]} is not stronger`, pictured.filter((image) => !stronger(image, i, j))],
];
function shares(counts, what, pictured) {
  const n = counts.images, share = (i, j) => (n ? counts.greater[i][j] / n : null);
  const intervals = new Map(counts.intervals.map(([count, low, high, decided]) => [count, { decided, words: ` (${percent(low)} to ${percent(high)})` }]));
  const interval = (i, j) => intervals.get(counts.greater[i][j]);
  return {
    value: (i, j) => (n ? 2 * share(i, j) - 1 : 0),
    weak: (i, j) => !interval(i, j)?.decided,
    words: (i, j) => n ? `In ${number(counts.greater[i][j])} of ${number(n)} ${what} ${names[i]} is stronger than ${names[j]}: ${percent(share(i, j))}${interval(i, j)?.words ?? ""}.` : `There are no ${what}.`,
    strength: (i) => names.reduce((sum, _, j) => sum + (n ? counts.greater[i][j] : 0), 0),
    shown: sides(pictured), legend: SCALE("in no image", "in every image"),
    note: `${number(n)} images. ${counts.intervals.length ? "A dot: the interval includes one half, so which of the two is stronger is not established." : OLDER}`,
  };
}
/* The record keeps six decimals: what is 0 there is below the last of them. */
const chance = (p) => (p < 1e-6 ? "below 0.000001" : `= ${p.toPrecision(2)}`);
function difference(d, what, pictured) {
  const a = d.correct, b = d.incorrect, known = a.images && b.images;
  const beyond = new Set(d.significant.map(([i, j]) => i * K + j)), older = d.significant.length < d.significant_pairs;
  const value = (i, j) => (known ? a.greater[i][j] / a.images - b.greater[i][j] / b.images : 0);
  return {
    value, weak: (i, j) => !beyond.has(Math.min(i, j) * K + Math.max(i, j)),
    words: (i, j) => known
      ? `${names[i]} is stronger than ${names[j]} in ${percent(a.greater[i][j] / a.images)} of ${number(a.images)} images ${what} that come out right, and in ${percent(b.greater[i][j] / b.images)} of ${number(b.images)} that come out wrong: ${points(value(i, j))}, corrected p ${chance(d.p_value[i][j])}.`
      : `There are no ${a.images ? "wrong" : "right"} images ${what}: nothing to compare.`,
    strength: (i) => names.reduce((sum, _, j) => sum + value(i, j), 0),
    shown: (i, j) => [
      [`wrong, and ${names[i]} is not stronger`, pictured.filter((image) => image.label !== image.output && !stronger(image, i, j))],
      [`right, and ${names[i]} is stronger`, pictured.filter((image) => image.label === image.output && stronger(image, i, j))],
    ],
    legend: SCALE("more often when wrong", "more often when right"),
    note: `${number(a.images)} right, ${number(b.images)} wrong. ${older ? OLDER : `A dot: the difference may be chance (corrected for ${(K * (K - 1)) / 2} pairs).`}`,
  };
}
function cut(c) {
  const cells = H.binarized.cells[c], base = shares(H.ground_truth[c], `images labelled ${data.classes[c]}`, labelled(c)), t = percent(H.binarized.threshold);
  return {
    value: (i, j) => (cells[i][j] === 1 ? SET : cells[i][j] === 0 ? NOT_SET : UNCLEAR), weak: (i, j) => cells[i][j] === -1,
    words: (i, j) => `${names[i]} > ${names[j]}: ${cells[i][j] === 1 ? `at least ${t}` : cells[i][j] === 0 ? `under ${t}` : `cannot be told from ${t}`}. ${base.words(i, j)}`,
    strength: base.strength, shown: base.shown,
    legend: [[NOT_SET, `in under ${t} of the images`], [UNCLEAR, `cannot be told from ${t}`], [SET, `in at least ${t}`]],
    note: `Each cell has one of three values: its whole interval lies below ${t}, above it, or on both sides (a dot).`,
  };
}
function single() {
  const image = images[+$("hm-image").value];
  if (!image || $("hm-image").value === "") return { value: () => 0, weak: () => false, words: () => "No image of this class is kept on this page.", strength: () => 0, shown: () => null, legend: [], note: "" };
  const at = (i) => image.strengths[data.shown[i]];
  const story = image.label === image.output ? `${image.label}, and called so` : `${image.label}, called ${image.output}`;
  return {
    value: (i, j) => (stronger(image, i, j) ? YES : NO), weak: () => false,
    words: (i, j) => `${image.id} (${story}): ${names[i]} (${at(i).toFixed(3)}) is ${stronger(image, i, j) ? "" : "not "}stronger than ${names[j]} (${at(j).toFixed(3)}).`,
    strength: at, shown: () => [["the image", [image]]],
    legend: [[YES, "the row's concept is stronger"], [NO, "it is not"]],
    note: "Strengths are cosines between image and words; only which of two is larger means something.",
  };
}

const grey = (i) => (data.grades[data.shown[i]] === "not seen" ? "unseen" : "");
const PICTURES = 8;
let focus = [0, 1], order = [], map = null;
function draw() {
  const c = +$("hm-class").value, kind = $("hm-kind").value;
  $("hm-image-label").hidden = kind !== "single";
  if (kind === "single") listImages(c);
  map = kinds[kind](c);
  const sort = $("hm-sort").value;
  order = names.map((_, i) => i);
  if (sort === "strength") order.sort((i, j) => map.strength(j) - map.strength(i) || i - j);
  if (sort === "name") order.sort((i, j) => names[i].localeCompare(names[j]));
  const head = el("tr", {}, el("td", { class: "diag", style: "background:none;border:0" }));
  order.forEach((j) => head.append(el("th", { scope: "col", "data-j": j, class: grey(j) }, el("span", {}, names[j]))));
  const rows = order.map((i, r) => {
    const row = el("tr", {}, el("th", { scope: "row", "data-i": i, class: grey(i) }, names[i]));
    order.forEach((j, s) => {
      const cell = el("td", { "data-r": r, "data-s": s, tabindex: "-1", role: "gridcell" });
      if (i === j) cell.className = "diag";
      else {
        cell.style.backgroundColor = colour(map.value(i, j));
        if (map.weak(i, j)) cell.className = "weak";
        if (grey(i) || grey(j)) cell.classList.add("unseen");
        cell.setAttribute("aria-label", map.words(i, j));
      }
      row.append(cell);
    });
    return row;
  });
  $("hm").replaceChildren(el("thead", {}, head), el("tbody", {}, ...rows));
  $("hm-legend").replaceChildren(...legend(map.legend));
  $("hm-note").textContent = map.note;
  reachable();
}
function legend(of) {
  if (Array.isArray(of)) return of.map(([value, text]) => el("span", { class: "swatch" }, el("i", { style: `background:${colour(value)}` }), text));
  const gradient = `linear-gradient(90deg, ${[-1, -0.5, 0, 0.5, 1].map(colour).join(",")})`;
  return [of.low, el("i", { class: "scale", style: `background:${gradient}` }), of.high];
}
function say(r, s) {
  const i = order[r], j = order[s];
  document.querySelectorAll("#hm .on").forEach((node) => node.classList.remove("on"));
  document.querySelector(`#hm th[data-i="${i}"]`).classList.add("on");
  document.querySelector(`#hm th[data-j="${j}"]`).classList.add("on");
  $("hm-words").textContent = i === j ? `${names[i]} against itself: neither is stronger.` : map.words(i, j);
}
/* The pictures behind the chosen cell: on both sides of it, as far as this page keeps them. */
function showImages(r, s) {
  const groups = r === s ? null : map.shown(order[r], order[s]);
  $("hm-images").replaceChildren(...(groups ?? []).flatMap(([title, of]) => {
    const kept = of.filter((image) => data.thumbnails[image.id]).slice(0, PICTURES);
    const figures = kept.map((image) => {
      const wrong = image.label !== image.output;
      const text = wrong ? `${image.label}, called ${image.output}` : image.label;
      const figure = el("button", { type: "button", class: wrong ? "pick wrong" : "pick" }, picture(image.id, text), el("span", {}, wrong ? `called ${image.output}` : "right"), el("span", { class: "file" }, image.id));
      figure.addEventListener("click", () => { $("hm-class").value = data.classes.indexOf(image.label); $("hm-kind").value = "single"; listImages(+$("hm-class").value); $("hm-image").value = images.indexOf(image); rememberHeatmap(); redraw(); });
      return figure;
    });
    return [el("h3", {}, title), kept.length ? el("div", { class: "strip" }, ...figures) : el("p", { class: "note" }, "None of the images that this page keeps; conspect explore shows all.")];
  }));
}
const cellAt = (r, s) => document.querySelector(`#hm td[data-r="${r}"][data-s="${s}"]`);
function choose(r, s, take = true) {
  const old = cellAt(...focus);
  if (old) { old.tabIndex = -1; old.classList.remove("chosen"); }
  focus = [r, s];
  const cell = cellAt(r, s);
  cell.tabIndex = 0;
  cell.classList.add("chosen");
  if (take) cell.focus();
  say(r, s);
  showImages(r, s);
}
const chosenPair = () => [order[focus[0]], order[focus[1]]];
/* After another class or kind the same two concepts stay chosen, wherever the new order puts them. */
function redraw(pair = order.length ? chosenPair() : null) {
  draw();
  if (!K) return;
  if (pair) focus = [order.indexOf(pair[0]), order.indexOf(pair[1])];
  choose(...focus, false);
}
const there = (event) => event.target.closest("td[data-r]");
$("hm").addEventListener("mouseover", (event) => { const cell = there(event); if (cell) say(+cell.dataset.r, +cell.dataset.s); });
$("hm").addEventListener("mouseleave", () => say(...focus));
$("hm").addEventListener("click", (event) => { const cell = there(event); if (cell) { choose(+cell.dataset.r, +cell.dataset.s); rememberCell(); } });
$("hm").addEventListener("keydown", (event) => {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -K], End: [0, K] }[event.key];
  if (!step) return;
  event.preventDefault();
  choose(...focus.map((from, k) => Math.max(0, Math.min(K - 1, from + step[k]))));
  rememberCell();
});
let listed = null;
function listImages(c) {
  if (listed === c) return;
  listed = c;
  const options = images.flatMap((image, k) => (image.label === data.classes[c] ? [el("option", { value: k }, `${image.id} (${image.label === image.output ? "right" : `called ${image.output}`})`)] : []));
  $("hm-image").replaceChildren(...options);
}
function rememberCell() {
  const [i, j] = chosenPair();
  remember("cell", `${names[i]}>${names[j]}`);
}
function rememberHeatmap() {
  section = "heatmaps";
  remember("class", data.classes[+$("hm-class").value], data.classes[data.start]);
  remember("kind", $("hm-kind").value, "ground_truth");
  remember("order", $("hm-sort").value, "strength");
  const image = $("hm-kind").value === "single" ? images[+$("hm-image").value] : null;
  remember("image", image ? image.id : null);
}
["hm-class", "hm-kind", "hm-sort", "hm-image"].forEach((id) => $(id).addEventListener("change", () => { redraw(); rememberHeatmap(); }));
function showHeatmap() {
  const c = data.classes.indexOf(view.get("class"));
  $("hm-class").value = c < 0 ? data.start : c;
  $("hm-kind").value = "ground_truth";
  $("hm-sort").value = "strength";
  setControl("hm-kind", view.get("kind"));
  setControl("hm-sort", view.get("order"));
  listImages(+$("hm-class").value);
  const image = images.findIndex((one) => one.id === view.get("image"));
  if (image >= 0) setControl("hm-image", String(image));
  draw();
  const [i, j] = (view.get("cell") ?? "").split(">").map((name) => names.indexOf(name));
  focus = i >= 0 && j >= 0 ? [order.indexOf(i), order.indexOf(j)] : [0, Math.max(0, K - 1)];
  if (K) choose(...focus, false);
}
