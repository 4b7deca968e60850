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
// As core/percentages.py: what is nearly all is not all, and what is nearly none not none.
function percent(share) {
  if (share === null) return "none";
  const text = (100 * share).toFixed(1);
  if (share < 1 && Number(text) === 100) return "over 99.9 %";
  return share > 0 && Number(text) === 0 ? "under 0.1 %" : `${text} %`;
}
const points = (difference) => (difference > 0 ? "+" : "") + (100 * difference).toFixed(1) + " points";
const number = (count) => count.toLocaleString("en-US");
const picture = (id, alt) => (data.thumbnails[id] ? el("img", { src: data.thumbnails[id], alt, loading: "lazy" }) : el("span", { class: "blank" }, "no room for its picture on this page"));

const theme = $("theme");
theme.addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
});

/* What is wider than its place is moved by keyboard too. */
const reachable = () => document.querySelectorAll(".scroll").forEach((box) => {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  else box.removeAttribute("tabindex");
});
addEventListener("resize", reachable);
document.addEventListener("toggle", reachable, true);

/* The address holds the view: #section&class=cat&kind=..., so that a link shows what its sender saw. */
const view = new Map();
let section = "";
function readAddress() {
  const [anchor, ...pairs] = location.hash.slice(1).split("&");
  section = anchor;
  view.clear();
  for (const [key, value] of new URLSearchParams(pairs.join("&"))) view.set(key, value);
}
function remember(key, value, standard) {
  if (value === standard || value === null) view.delete(key);
  else view.set(key, value);
  const text = new URLSearchParams([...view]).toString();
  history.replaceState(null, "", text || section ? `#${section}${text ? "&" + text : ""}` : location.pathname + location.search);
}
function goTo(id) {
  section = id;
  remember("", null);
  const target = document.getElementById(id);
  if (target) target.scrollIntoView();
}
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (!link) return;
  event.preventDefault();
  const target = document.getElementById(link.getAttribute("href").slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
  goTo(link.getAttribute("href").slice(1));
});
/* A value that a control does not offer is none: an address may be old, or made up. */
function setControl(id, value) {
  const control = $(id);
  if (value !== undefined && [...control.options].some((option) => option.value === value)) control.value = value;
}
