// How long a person waits in the explorer at ADDRESS: from click or key to what it shows, each several times.
// usage: node tests/latency.mjs ADDRESS CHROMIUM. Prints {"what": [milliseconds, ...]}.
import { chromium } from "playwright-core";

const [address, executablePath] = process.argv.slice(2);
const origin = new URL(address).origin;
const TIMES = 7;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
const found = {};

/** Measured in the page itself, from the act to the first frame in which `shown` is true: no round trip of the test is counted. */
async function timed(what, act, shown, argument) {
  const milliseconds = await page.evaluate(
    ([act, shown, argument]) =>
      new Promise((done, fail) => {
        const run = new Function("argument", act);
        const there = new Function("argument", `return (${shown})`);
        const start = performance.now();
        const look = () => {
          if (there(argument)) requestAnimationFrame(() => done(performance.now() - start));
          else if (performance.now() - start > 20_000) fail(new Error("not shown in 20 s"));
          else setTimeout(look, 1);
        };
        run(argument);
        look();
      }),
    [act, shown, argument],
  );
  (found[what] ??= []).push(Math.round(10 * milliseconds) / 10);
}
const go = (query) => page.goto(`${origin}/?${query}`, { waitUntil: "networkidle" });

await page.goto(address);
await page.locator("h1").first().waitFor();
const study = await page.evaluate(async () => (await fetch("/api/study")).json());
const wrong = await page.evaluate(async () => (await (await fetch("/api/images?set=wrong&order=confident&limit=20")).json()).images);
const [first, second, third] = study.concepts.map((concept) => concept.name);
const seen = "document.querySelector('figure img')?.complete";

for (let k = 0; k < TIMES; k++) {
  await go("view=study");
  await page.locator("section[aria-labelledby=confusion] td a").first().waitFor();
  await timed("a confusion cell's images", "document.querySelectorAll('section[aria-labelledby=confusion] td a')[argument].click()", seen, k);
  await go("view=images");
  await page.evaluate(() => { window.was = document.querySelector(".bar [role=status]").textContent; });
  await timed("a filter", "const s = document.querySelectorAll('.bar select')[argument % 2]; s.selectedIndex = 1 + argument; s.dispatchEvent(new Event('change', {bubbles: true}))", "document.querySelector('.bar [role=status]').textContent !== window.was", k);
  await go("view=heatmap");
  await page.locator("canvas").first().waitFor();
  await timed("a heatmap cell's images", "document.querySelector('.words button').click()", seen, k);
  await go(`view=ask&q=${encodeURIComponent(`${first} > ${second}`)}`);
  await page.locator("article h2").waitFor();
  const words = k % 2 ? `${first} > ${third}` : `${second} > ${third}`;
  await timed("ask, warm", "const q = document.querySelector('form #q'); q.value = argument; q.dispatchEvent(new Event('input', {bubbles: true})); q.form.requestSubmit()", "document.querySelector('article h2')?.textContent === argument && !document.querySelector('article.waiting')", words);
  await go("view=images&set=wrong&order=confident");
  await page.locator("figure a").first().waitFor();
  await timed("an image's page", "document.querySelectorAll('figure a')[argument].click()", "[...document.querySelectorAll('h2')].some((h) => h.textContent === 'Concepts on this image')", k);
  await go(`view=sliders&id=${encodeURIComponent(wrong[k % wrong.length].id)}`);
  if (await page.locator(".track input").count()) {
    await page.evaluate(() => { window.was = document.querySelector(".slider output .quiet").textContent; });
    await timed("a slider", "const s = document.querySelector('.track input'); s.value = argument; s.dispatchEvent(new Event('input', {bubbles: true}))", "document.querySelector('.slider output .quiet').textContent !== window.was", 1 + k / 10);
  }
  if (study.compared) {
    await go("view=study");
    await timed("compare", "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '9', bubbles: true}))", "[...document.querySelectorAll('h2')].some((h) => h.textContent === 'Images that changed sides')", k);
  }
  await go("view=live");
  const bytes = await page.evaluate(async (row) => Array.from(new Uint8Array(await (await fetch(`/picture/${row}`)).arrayBuffer())), wrong[k % wrong.length].row);
  await timed(
    "a picture from outside",
    "const d = new DataTransfer(); d.items.add(new File([new Uint8Array(argument)], 'x.png', {type: 'image/png'})); const i = document.querySelector('input[type=file]'); i.files = d.files; i.dispatchEvent(new Event('change', {bubbles: true}))",
    "document.querySelector('section[aria-label=\"The picture\"] .output')", bytes,
  );
}
await go("view=labels");
for (let k = 0; k < TIMES && (await page.locator(".desk").count()); k++) {
  await page.evaluate(() => { window.was = document.querySelector(".desk .quiet").textContent; });
  await timed("keep a label", "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'k', bubbles: true}))", "document.querySelector('.desk .quiet').textContent !== window.was || document.querySelector('.desk button[aria-pressed=true]')", k);
}
await browser.close();
console.log(JSON.stringify(found));
