"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const el = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    // The page's policy forbids style attributes, not styles that its own script sets.
    if (key === "class") node.className = value;
    else if (key === "style") node.style.cssText = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
};
const percent = (share) => (share === null ? "none" : (100 * share).toFixed(1) + " %");
const points = (difference) => (difference > 0 ? "+" : "") + (100 * difference).toFixed(1) + " points";

const theme = $("theme");
theme.addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
});

/* Wilson's interval, as in the results: n is small, so it is computed where it is shown. */
const wilson = (k, n, z = data.z) => {
  if (!n) return [0, 1];
  const p = k / n, d = 1 + (z * z) / n, c = (p + (z * z) / (2 * n)) / d, h = (z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))) / d;
  return [k === 0 ? 0 : Math.max(0, c - h), k === n ? 1 : Math.min(1, c + h)];
};

/* Colour of a value in -1..1: toward one end of a blue-orange scale, which the colour-blind can tell apart. */
const colour = (value) => `color-mix(in srgb, var(--${value >= 0 ? "hi" : "lo"}) ${Math.round(100 * Math.min(1, Math.abs(value)))}%, var(--mid))`;

const H = data.heatmaps, names = H.concepts, K = names.length;
const kinds = {
  ground_truth: (c) => shares(H.ground_truth[c], `images labelled ${data.classes[c]}`),
  ground_truth_by_vlm: (c) => shares(H.ground_truth_by_vlm[c], `images labelled ${data.classes[c]}, seen by the VLM itself,`),
  output_label: (c) => shares(H.output_label[c], `images the model calls ${data.classes[c]}`),
  differential_by_label: (c) => difference(H.differential_by_label[c], `labelled ${data.classes[c]}`),
  differential_by_output: (c) => difference(H.differential_by_output[c], `that the model calls ${data.classes[c]}`),
  binarized: (c) => cut(c),
  single: () => single(),
};

function shares(counts, what) {
  const n = counts.images, share = (i, j) => (n ? counts.greater[i][j] / n : null);
  return {
    value: (i, j) => (n ? 2 * share(i, j) - 1 : 0),
    weak: (i, j) => { const [low, high] = wilson(counts.greater[i][j], n); return low < 0.5 && high > 0.5; },
    words: (i, j) => {
      const [low, high] = wilson(counts.greater[i][j], n);
      return n ? `In ${percent(share(i, j))} of ${n} ${what} ${names[i]} is stronger than ${names[j]} (${percent(low)} to ${percent(high)}).` : `There are no ${what}.`;
    },
    strength: (i) => names.reduce((sum, _, j) => sum + (n ? counts.greater[i][j] : 0), 0),
    legend: ["never", "half", "always"],
    note: `${n} images. A dot: the interval includes one half, so the order is not established.`,
  };
}
function difference(d, what) {
  const a = d.correct, b = d.incorrect, known = a.images && b.images;
  const value = (i, j) => (known ? a.greater[i][j] / a.images - b.greater[i][j] / b.images : 0);
  return {
    value, weak: (i, j) => d.p_value[i][j] >= 1 - data.confidence,
    words: (i, j) => known
      ? `${names[i]} is stronger than ${names[j]} in ${percent(a.greater[i][j] / a.images)} of ${a.images} images ${what} that are classified right, and in ${percent(b.greater[i][j] / b.images)} of ${b.images} that are wrong: ${points(value(i, j))}, corrected p = ${d.p_value[i][j].toPrecision(2)}.`
      : `There are no ${a.images ? "wrong" : "right"} images ${what}: nothing to compare.`,
    strength: (i) => names.reduce((sum, _, j) => sum + value(i, j), 0),
    legend: ["more when wrong", "no change", "more when right"],
    note: `${a.images} right, ${b.images} wrong. A dot: not significant after correction for ${(K * (K - 1)) / 2} pairs.`,
  };
}
function cut(c) {
  const cells = H.binarized.cells[c], base = shares(H.ground_truth[c], `images labelled ${data.classes[c]}`), t = percent(H.binarized.threshold);
  return {
    value: (i, j) => (cells[i][j] === 1 ? 1 : cells[i][j] === 0 ? -0.08 : 0.3), weak: (i, j) => cells[i][j] === -1,
    words: (i, j) => `${names[i]} > ${names[j]}: ${cells[i][j] === 1 ? `at least ${t}` : cells[i][j] === 0 ? `under ${t}` : `cannot be told from ${t}`}. ${base.words(i, j)}`,
    strength: base.strength, legend: [`under ${t}`, "unclear", `at least ${t}`],
    note: `A cell is set when its whole interval lies on one side of ${t}; a dot: it straddles.`,
  };
}
function single() {
  const image = data.failures[+$("hm-image").value];
  if (!image) return { value: () => 0, weak: () => false, words: () => "There is no failure of this class.", strength: () => 0, legend: ["no", "", "yes"], note: "" };
  const at = (i) => image.strengths[data.shown[i]];
  return {
    value: (i, j) => (at(i) > at(j) ? 0.85 : -0.5), weak: () => false,
    words: (i, j) => `${image.id}, ${image.label} taken for ${image.output}: ${names[i]} (${at(i).toFixed(3)}) is ${at(i) > at(j) ? "" : "not "}stronger than ${names[j]} (${at(j).toFixed(3)}).`,
    strength: at, legend: ["no", "", "yes"], note: "Strengths are cosines through the lens; only their order means something.",
  };
}

const grey = (i) => (data.grades[data.shown[i]] === "not seen" ? "unseen" : "");
let focus = [0, 1], order = [];
function draw() {
  const c = +$("hm-class").value, kind = $("hm-kind").value;
  $("hm-image-label").hidden = kind !== "single";
  if (kind === "single") listImages(c);
  const map = kinds[kind](c), sort = $("hm-sort").value;
  order = names.map((_, i) => i);
  if (sort === "strength") order.sort((i, j) => map.strength(j) - map.strength(i) || i - j);
  if (sort === "name") order.sort((i, j) => names[i].localeCompare(names[j]));
  const head = el("tr", {}, el("td", { class: "diag", style: "background:none;border:0" }));
  order.forEach((j) => head.append(el("th", { scope: "col", "data-j": j, class: grey(j) }, el("span", {}, names[j]))));
  const rows = order.map((i, r) => {
    const row = el("tr", {}, el("th", { scope: "row", "data-i": i, class: grey(i) }, names[i]));
    order.forEach((j, s) => {
      const cell = el("td", { "data-r": r, "data-s": s, tabindex: r === focus[0] && s === focus[1] ? "0" : "-1", role: "gridcell" });
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
  const gradient = `linear-gradient(90deg, ${[-1, -0.5, 0, 0.5, 1].map(colour).join(",")})`;
  $("hm-legend").replaceChildren(map.legend[0], el("i", { style: `background:${gradient}` }), map.legend[2]);
  $("hm-note").textContent = map.note;
  const show = (cell) => {
    if (!cell || !cell.dataset.r) return;
    const i = order[+cell.dataset.r], j = order[+cell.dataset.s];
    document.querySelectorAll("#hm .on").forEach((n) => n.classList.remove("on"));
    document.querySelector(`#hm th[data-i="${i}"]`).classList.add("on");
    document.querySelector(`#hm th[data-j="${j}"]`).classList.add("on");
    $("hm-words").textContent = i === j ? `${names[i]} against itself: neither is stronger.` : map.words(i, j);
  };
  $("hm").onmouseover = (event) => show(event.target.closest("td"));
  $("hm").onfocusin = (event) => show(event.target.closest("td"));
  $("hm").onclick = (event) => { const cell = event.target.closest("td[data-r]"); if (cell) moveTo(+cell.dataset.r, +cell.dataset.s); };
  if (K > 1) show(cellAt(focus[0], focus[1]));
}
const cellAt = (r, s) => document.querySelector(`#hm td[data-r="${r}"][data-s="${s}"]`);
function moveTo(r, s) {
  const old = cellAt(...focus);
  if (old) old.tabIndex = -1;
  focus = [r, s];
  const cell = cellAt(r, s);
  cell.tabIndex = 0;
  cell.focus();
}
$("hm").addEventListener("keydown", (event) => {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -K], End: [0, K] }[event.key];
  if (!step) return;
  event.preventDefault();
  const at = event.target.closest("td[data-r]");
  if (at) focus = [+at.dataset.r, +at.dataset.s];
  moveTo(...focus.map((from, k) => Math.max(0, Math.min(K - 1, from + step[k]))));
});
let listed = null;
function listImages(c) {
  if (listed === c) return;
  listed = c;
  const options = data.failures.flatMap((f, k) => (f.label === data.classes[c] ? [el("option", { value: k }, `${f.id} (taken for ${f.output})`)] : []));
  $("hm-image").replaceChildren(...options);
}
["hm-class", "hm-kind", "hm-sort", "hm-image"].forEach((id) => $(id).addEventListener("change", draw));
$("hm-class").value = data.start;
focus = K > 1 ? [0, K - 1] : [0, 0];
draw();

let shown = 24;
function gallery() {
  const c = $("f-class").value, v = $("f-verdict").value, sign = $("f-sort").value === "confident" ? -1 : 1;
  const all = data.failures.map((f, k) => ({ ...f, k })).filter((f) => (!c || f.label === c) && (!v || f.cause === v)).sort((a, b) => sign * (a.confidence - b.confidence));
  const visible = all.slice(0, shown);
  $("f-count").textContent = `${Math.min(shown, all.length)} of ${all.length} failures`;
  $("gallery").replaceChildren(...visible.map((f) => {
    const picture = data.thumbnails[f.id] ? el("img", { src: data.thumbnails[f.id], alt: `${f.label} taken for ${f.output}` }) : el("span", { class: "note" }, "no thumbnail kept");
    const why = el("ul", {}, ...f.went_wrong.map((p) => el("li", {}, `${p.stronger} should beat ${p.weaker} (it does in ${percent(p.usual)} of ${f.label} images)`)));
    const said = el("p", { class: "said" }, f.explanation.sentence + ".");
    const pairs = el("details", {}, el("summary", {}, "pairs that its class keeps and it breaks"), why);
    const link = el("a", { href: "#heatmaps" }, "its heatmap");
    link.addEventListener("click", () => { $("hm-class").value = data.classes.indexOf(f.label); $("hm-kind").value = "single"; listImages(+$("hm-class").value); $("hm-image").value = f.k; draw(); });
    return el("article", { class: "shot" }, el("div", {}, picture), el("div", {},
      el("p", {}, el("strong", {}, f.label), ` taken for `, el("strong", {}, f.output), ` (${percent(f.confidence)} sure)`),
      el("p", {}, el("span", { class: `tag ${["head", "encoder"].includes(f.cause) ? f.cause : "undecided"}` }, f.cause === "label suspect" ? `label suspect: ${f.label_instead}?` : f.cause), ` `, el("span", { class: "note" }, `paper's oracle: ${f.verdict}; refitted head: ${f.refitted_head_verdict}; VLM: ${f.vlm_says}`)),
      said, why.childElementCount ? pairs : el("p", { class: "note" }, "no usual pair is broken"), link));
  }));
  $("f-more").hidden = all.length <= shown;
}
["f-class", "f-verdict", "f-sort"].forEach((id) => $(id).addEventListener("change", () => { shown = 24; gallery(); }));
$("f-more").addEventListener("click", () => { shown += 24; gallery(); });
gallery();
