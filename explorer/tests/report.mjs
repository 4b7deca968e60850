// Opens a report in a real browser: no finding of axe, nothing cut off, a cell leads to its images, the address holds the view.
// usage: node tests/report.mjs REPORT.html CHROMIUM. Prints {"problems": [...], "seen": {...}}.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [file, executablePath] = process.argv.slice(2);
const address = pathToFileURL(file).href;
const axe = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const problems = [];
const seen = { dots: 0, cells: 0, pictures: 0, cards: 0, printed: 0 };
const expect = (condition, words) => condition || problems.push(words);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

async function opened(colorScheme, width, where = address) {
  // axe is slipped in from outside, which the page's own policy rightly forbids.
  const page = await (await browser.newContext({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true })).newPage();
  page.on("pageerror", (error) => problems.push(`${width}, ${colorScheme}: ${error.message}`));
  page.on("request", (request) => /^(file|data):/.test(request.url()) || problems.push(`asks for ${request.url()}`));
  await page.goto(where);
  await page.locator("#hm td.chosen").waitFor();
  return page;
}

for (const colorScheme of ["light", "dark"]) for (const width of [1280, 400]) {
  const page = await opened(colorScheme, width), name = `${width}, ${colorScheme}`;
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
  const { beyond, cut } = await page.evaluate(() => ({
    beyond: document.documentElement.scrollWidth - innerWidth,
    cut: [...document.querySelectorAll("nav a, .keys li, .card > *")].filter((node) => { const at = node.getBoundingClientRect(); return at.right > innerWidth + 1 || at.left < -1 || node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== "inline"; }).map((node) => node.textContent),
  }));
  expect(beyond <= 0, `${name}: the page is ${beyond} pixels too wide`);
  expect(cut.length === 0, `${name}: cut off: ${cut}`);
  for (const bar of await page.locator(".bar").all()) expect(await bar.locator(".keys li").first().isVisible(), `${name}: a bar without labels`);
  await page.evaluate(axe);
  for (const { id, nodes } of await page.evaluate(async () => (await axe.run()).violations)) problems.push(`${name}: axe: ${id}: ${nodes[0].html.slice(0, 150)}`);
  await page.context().close();
}

const page = await opened("light", 1280);
const data = await page.evaluate(() => JSON.parse(document.getElementById("data").textContent));
expect(await page.locator("nav").evaluate((nav) => nav.offsetHeight) < 60, "the navigation takes more than one line");

// A cell shows images on the side they are on.
for (const cell of (await page.locator("#hm td:not(.diag)").all()).slice(0, 12)) {
  await cell.click();
  seen.cells += 1;
  const [row, column] = await page.evaluate(() => [...document.querySelectorAll("#hm th.on")].map((th) => th.textContent).reverse());
  const shown = await page.evaluate(() => [...document.querySelectorAll("#hm-images h3")].map((title) => [title.textContent, [...(title.nextElementSibling?.querySelectorAll(".file") ?? [])].map((name) => name.textContent)]));
  const place = (concept) => data.shown[data.heatmaps.concepts.indexOf(concept)];
  for (const [title, names] of shown) for (const name of names) {
    const image = [...data.examples, ...data.failures].find((one) => one.id === name);
    seen.pictures += 1;
    expect((image.strengths[place(row)] > image.strengths[place(column)]) === !title.includes("not"), `${name} stands under "${title}" of ${row} > ${column}`);
  }
}

// Every kind has a legend that says its own values.
const legends = {};
for (const kind of await page.locator("#hm-kind option").evaluateAll((options) => options.map((option) => option.value))) {
  await page.locator("#hm-kind").selectOption(kind);
  legends[kind] = await page.locator("#hm-legend").textContent();
}
expect(legends.binarized.includes("cannot be told") && legends.single.includes("stronger") && new Set([legends.binarized, legends.single, legends.ground_truth]).size === 3, `legends: ${JSON.stringify(legends)}`);

// What is established is the record's: a dot where an interval includes one half, or a difference may be chance.
const dotted = (of) => of.evaluate(() => [...document.querySelectorAll("#hm td.weak:not(.diag)")].length);
const pairs = data.heatmaps.concepts.flatMap((_, i) => data.heatmaps.concepts.map((__, j) => [i, j])).filter(([i, j]) => i !== j);
for (const kind of ["ground_truth", "ground_truth_by_vlm", "output_label"]) {
  await page.locator("#hm-kind").selectOption(kind);
  const { greater, intervals } = data.heatmaps[kind][data.start], open = pairs.filter(([i, j]) => !intervals.find(([count]) => count === greater[i][j])[3]);
  seen.dots += open.length;
  expect((await dotted(page)) === open.length, `${kind}: ${await dotted(page)} dots for ${open.length} cells that are not established`);
  const [, low, high] = intervals.find(([count]) => count === greater[0][1]);
  const sentence = await page.evaluate(() => map.words(0, 1));
  expect(sentence.includes(await page.evaluate(([low, high]) => `(${percent(low)} to ${percent(high)})`, [low, high])), `${kind}: ${sentence} has another interval than the record`);
}
await page.locator("#hm-kind").selectOption("differential_by_label");
const lost = data.heatmaps.differential_by_label[data.start];
expect((await dotted(page)) === pairs.length - 2 * lost.significant_pairs, `${await dotted(page)} dots beside ${lost.significant_pairs} pairs that differ significantly`);

// A record of an older version establishes nothing, and the page says why.
const older = structuredClone(data);
for (const kind of ["ground_truth", "ground_truth_by_vlm", "output_label"]) for (const one of older.heatmaps[kind]) one.intervals = [];
for (const kind of ["differential_by_label", "differential_by_output"]) for (const one of older.heatmaps[kind]) one.significant = [];
const html = readFileSync(file, "utf8"), from = html.indexOf(">", html.indexOf('id="data"')) + 1, to = html.indexOf("</script>", from);
writeFileSync(`${file}.older.html`, html.slice(0, from) + JSON.stringify(older).replaceAll("<", "\\u003c") + html.slice(to));
const old = await opened("light", 1280, `${address}.older.html`);
for (const kind of ["ground_truth", "differential_by_label"]) {
  await old.locator("#hm-kind").selectOption(kind);
  expect((await dotted(old)) === pairs.length && (await old.locator("#hm-note").textContent()).includes("older version"), `${kind} of an older version: ${await dotted(old)} dots, ${await old.locator("#hm-note").textContent()}`);
}

// The address holds the view.
await page.locator("#hm-kind").selectOption("binarized");
await page.locator("#hm-sort").selectOption("name");
await page.locator("#hm td:not(.diag)").nth(3).click();
await page.locator("#f-sort").selectOption("doubtful");
const words = await page.locator("#hm-words").textContent();
const again = await opened("light", 1280, page.url());
expect((await again.locator("#hm-words").textContent()) === words, `the address ${page.url()} shows another cell`);
expect((await again.locator("#hm-kind").inputValue()) === "binarized" && (await again.locator("#f-sort").inputValue()) === "doubtful", "the address forgets a choice");
expect((await again.locator("#gallery .file").first().textContent()) === (await page.locator("#gallery .file").first().textContent()), "the address shows other failures");
seen.cards = await again.locator("#gallery .shot img").count();
for (const hostile of ["#heatmaps&class=%3Cimg%20src%3Dx%3E&kind=nothing&cell=%3E%3E", "#&&&=%", "#no-such-section&image=__proto__"]) await (await opened("light", 1280, address + hostile)).context().close();

// On paper: light whatever the screen was, the cells of the heatmap keep their colours, and nothing to press.
const paper = await opened("dark", 794);
await paper.emulateMedia({ media: "print", colorScheme: "dark" });
const printed = await paper.evaluate(() => ({ ground: getComputedStyle(document.body).backgroundColor, cells: new Set([...document.querySelectorAll("#hm td:not(.diag)")].map((cell) => getComputedStyle(cell).backgroundColor)).size, exact: getComputedStyle(document.querySelector("#hm td")).printColorAdjust, buttons: [...document.querySelectorAll("button, select, nav")].filter((node) => node.offsetParent).length }));
seen.printed = (await paper.pdf({ format: "A4" })).toString("latin1").match(/\/Type\s*\/Page\b/g).length;
expect(printed.ground === "rgb(255, 255, 255)" && printed.cells > 1 && printed.exact === "exact" && printed.buttons === 0, `on paper: ${JSON.stringify(printed)}`);

await browser.close();
console.log(JSON.stringify({ problems, seen }));
