const PAGE = 24;
let visibleFailures = PAGE;
function gallery() {
  const c = $("f-class").value, v = $("f-verdict").value, sign = $("f-sort").value === "confident" ? -1 : 1;
  const all = data.failures.filter((f) => (!c || f.label === c) && (!v || f.cause === v)).sort((a, b) => sign * (a.confidence - b.confidence));
  $("f-count").textContent = `${number(Math.min(visibleFailures, all.length))} of ${number(all.length)} wrong images`;
  $("gallery").replaceChildren(...all.slice(0, visibleFailures).map(card));
  $("f-more").hidden = all.length <= visibleFailures;
}
function card(f) {
  const cause = f.cause === "label suspect" ? `label suspect: ${f.label_instead}?` : f.cause;
  const link = el("a", { href: "#heatmaps" }, "its heatmap");
  link.addEventListener("click", () => { $("hm-class").value = data.classes.indexOf(f.label); $("hm-kind").value = "single"; listImages(+$("hm-class").value); $("hm-image").value = images.findIndex((image) => image.id === f.id); redraw(); rememberHeatmap(); });
  const broken = f.went_wrong.map((p) => el("li", {}, `${p.stronger} is not stronger than ${p.weaker}, as it is in ${percent(p.usual)} of the ${f.label} images`));
  return el("article", { class: "shot" }, picture(f.id, `${f.label}, called ${f.output}`),
    el("p", { class: "file" }, f.id),
    el("p", { class: "said" }, f.explanation.sentence + "."),
    el("p", {}, el("span", { class: `tag ${["head", "encoder"].includes(f.cause) ? f.cause : "undecided"}` }, cause), " ", el("span", { class: "note" }, `the model is ${percent(f.confidence)} sure`)),
    el("details", {}, el("summary", {}, "More about it"),
      el("p", { class: "note" }, `The words' own model says ${f.vlm_says}. The paper's oracle says ${f.paper_verdict}, a refitted head ${f.refitted_head_verdict}.`),
      broken.length ? el("ul", {}, ...broken) : el("p", { class: "note" }, "It breaks no order of concepts that its class usually keeps."),
      link));
}
const FILTERS = { label: ["f-class", ""], cause: ["f-verdict", ""], sorted: ["f-sort", "confident"] };
for (const [key, [id, standard]] of Object.entries(FILTERS)) $(id).addEventListener("change", () => {
  visibleFailures = PAGE;
  section = "failures";
  remember(key, $(id).value, standard);
  gallery();
});
$("f-more").addEventListener("click", () => { visibleFailures += PAGE; gallery(); });

function show() {
  readAddress();
  showHeatmap();
  for (const [key, [id, standard]] of Object.entries(FILTERS)) { $(id).value = standard; setControl(id, view.get(key)); }
  gallery();
  reachable();
  const target = section && document.getElementById(section);
  if (target) target.scrollIntoView();
}
addEventListener("hashchange", show);
show();
