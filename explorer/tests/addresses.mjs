// Addresses that nobody meant, every view read again, and the way back: a page always says where one is, and what is wrong.
// usage: node tests/addresses.mjs ADDRESS CHROMIUM. Prints {"problems": [...]}.
import { chromium } from "playwright-core";

const [address, executablePath] = process.argv.slice(2);
const origin = new URL(address).origin;
const problems = [];
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.message}`));
page.on("console", (message) => {
  // A refused question is a 4xx that the page shows in words: the browser logs it all the same.
  if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) problems.push(`${page.url()}: ${message.text()}`);
});
const go = (query) => page.goto(`${origin}/?view=${query}`, { waitUntil: "networkidle" });
const view = () => new URL(page.url()).searchParams.get("view");

await page.goto(address);
await page.locator("h1").first().waitFor();
const wrong = await page.evaluate(async () => (await (await fetch("/api/images?set=wrong&order=confident&limit=1")).json()).images[0]);
const study = await page.evaluate(async () => (await fetch("/api/study")).json());
const id = encodeURIComponent(wrong.id);

// What is said where something must be said; undefined where it is enough that the page stands.
const NONSENSE = [
  ["study&x=1"], ["nothing"], ["images&offset=-5"], ["images&offset=99999999", /none from here on/], ["images&offset=abc"], ["images&order=sideways", /order cannot be/i], ["images&set=maybe", /set cannot be/i],
  ["images&least=2", /least/], ["images&least=abc", /least/], ["images&pair=%3E%3E", /not a concept or a pair/], ["images&monitor=angry", /monitor/], ["images&slice=nope", /slice/], ["images&slice=a=b", /column/],
  ["images&diagnosis=zzz", /no diagnosis/], ["images&tag=zzz", /No image passes/], [`images&text=${"a".repeat(1500)}`, /No image passes/], [`images&text=${"a".repeat(3000)}`, /text/], [`images&label=${"x".repeat(1500)}`, /no class/],
  ["heatmap&pair=a%20%3E%20b%20%3E%20c", /not a concept or a pair/], ["ask&q=%3C%3E", /not a concept or a pair/], [`ask&q=${"word ".repeat(60)}`, /at most/], ["ask&q=%00", /printable/], ["image", /names no image/], ["image&id=../../etc/passwd", /no image/],
  [`image&id=${id}&map=nope`], ["sliders", /names no image/], ["sliders&id=nope", /no image/], [`sliders&id=${id}&shift=nope:1`, /cannot be moved/], [`sliders&id=${id}&shift=:::|||`], ["labels&offset=-3"], ["labels&offset=100000"],
  ["witness&size=abc"], ["prove&spec=property"], ["live&threshold=abc"], ["live&threshold=1e99"], ["summary&x=y"], ...(study.compared ? [["compare&offset=-1&class=zzz", /no class/]] : [["compare", /one study/]]),
];
for (const [query, words] of NONSENSE) {
  await go(query);
  const name = query.slice(0, 60);
  if ((await page.locator("h1").count()) !== 1) problems.push(`${name}: ${await page.locator("h1").count()} headings`);
  const text = await page.locator("main").innerText();
  if (text.trim().length < 20) problems.push(`${name}: an empty page`);
  if (words && !words.test(text)) problems.push(`${name}: it does not say ${words}, but ${text.slice(0, 200)}`);
}

// Every view is the same when it is read again.
for (const query of ["study", "images&set=wrong", "heatmap", "ask&q=wings", `image&id=${id}`, "labels", "prove", "witness", `sliders&id=${id}`, "live", "summary"]) {
  await go(query);
  const [before, was] = [(await page.locator("main").innerText()).slice(0, 400), page.url()];
  await page.reload({ waitUntil: "networkidle" });
  if ((await page.locator("main").innerText()).slice(0, 400) !== before) problems.push(`${query} is another page when it is read again`);
  if (page.url() !== was) problems.push(`${query} has another address when it is read again`);
}

// The way back is the way there, and a filter is a step of it.
const KEYS = [["2", "images"], ["3", "heatmap"], ["4", "ask"], ["5", "labels"], ["7", "witness"], ["8", "live"], ["1", "study"]];
await go("study");
for (const [key, name] of KEYS) {
  await page.keyboard.press(key);
  await page.waitForURL(new RegExp(`view=${name}`));
}
for (const [, name] of KEYS.slice(0, -1).reverse()) {
  await page.goBack();
  if (view() !== name) problems.push(`going back leads to ${view()} and not to ${name}`);
}
await go("study");
await page.keyboard.press("2");
await page.locator("figure img").first().waitFor();
await page.locator(".bar select").first().selectOption({ index: 1 });
await page.waitForURL(/label=/);
await page.goBack();
await page.waitForURL(/view=images$/);
await page.waitForFunction((images) => document.querySelector(".bar [role=status]").textContent.startsWith(images), study.images.toLocaleString("en-US"));

// By keyboard alone: past the head of the page at once, and to its first control.
await go("images");
await page.keyboard.press("Tab");
await page.keyboard.press("Enter");
await page.keyboard.press("Tab");
if (!(await page.evaluate(() => document.querySelector("main").contains(document.activeElement)))) problems.push("the first Tab does not lead past the head of the page");
await browser.close();
console.log(JSON.stringify({ problems }, null, 1));
