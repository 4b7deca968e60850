// The two-minute tour as single pictures: walks the study at ADDRESS and takes a picture whenever something has changed.
// usage: node film.mjs ADDRESS CHROMIUM FOLDER. explorer/pictures.py makes a GIF of them.
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const [address, executablePath, folder] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const origin = new URL(address).origin;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await (await browser.newContext({ colorScheme: "light", viewport: { width: 1320, height: 820 } })).newPage();
let number = 0;

/** One picture, shown for `seconds`: the name says it. */
async function take(seconds) {
  await page.waitForFunction(() => [...document.images].every((image) => image.complete || image.getBoundingClientRect().top > innerHeight || image.getBoundingClientRect().left > innerWidth));
  await page.waitForTimeout(120);
  await page.screenshot({ path: `${folder}/${String(number++).padStart(3, "0")}-${Math.round(1000 * seconds)}.png` });
}
async function go(query) {
  await page.goto(`${origin}/?${query}`, { waitUntil: "networkidle" });
}
async function typed(locator, text) {
  for (let k = 4; k <= text.length; k += 4) {
    await locator.fill(text.slice(0, k));
    await take(0.12);
  }
  await locator.fill(text);
}

await page.goto(address);
await page.locator("section[aria-labelledby=confusion] td a").first().waitFor();
await take(2);
const cell = page.locator("td.step4 a").first();
await cell.scrollIntoViewIfNeeded();
await cell.hover();
await take(1.2);
await cell.click();
await page.locator("figure img").first().waitFor();
await page.waitForLoadState("networkidle");
await take(1.8);
await page.locator("figure a").first().click();
await page.locator(".maps button").first().waitFor();
await page.waitForLoadState("networkidle");
await take(1.5);
await page.locator(".maps button").first().click();
await page.waitForLoadState("networkidle");
await take(1.8);
await page.getByRole("button", { name: "Move its concepts" }).click();
const slider = page.locator(".track input");
await slider.first().waitFor();
await page.waitForLoadState("networkidle");
const count = await slider.count();
for (const [k, goal] of [[Math.min(4, count - 1), 3], [Math.min(1, count - 1), -2]])
  for (let part = 1; part <= 4; part++) {
    await slider.nth(k).fill(String(((goal * part) / 4).toFixed(1)));
    await page.waitForLoadState("networkidle");
    await take(part === 4 ? 1.2 : 0.2);
  }
await go("view=ask");
await typed(page.locator("form #q"), "striped > metallic");
await page.locator("form #q").press("Enter");
await page.locator("article h2").waitFor();
await page.waitForLoadState("networkidle");
await take(2);
await go("view=witness");
await page.locator("#size").waitFor();
await page.waitForLoadState("networkidle");
const most = Number(await page.locator("#size").getAttribute("max"));
for (const part of [0.01, 0.04, 0.2, 0.4, 0.6]) {
  await page.locator("#size").fill(String(Math.round(part * most)));
  await take(part === 0.6 ? 1.5 : 0.5);
}
await go("view=labels");
if (await page.locator(".desk").count()) {
  await take(1);
  await page.keyboard.press("ArrowRight");
  await page.waitForLoadState("networkidle");
  await take(1);
}
await go("view=live");
const wrong = await page.evaluate(async () => (await (await fetch("/api/images?set=wrong&monitor=suspect&limit=1")).json()).images?.[0] ?? (await (await fetch("/api/images?set=wrong&limit=1")).json()).images[0]);
const bytes = await page.evaluate(async (row) => Array.from(new Uint8Array(await (await fetch(`/picture/${row}`)).arrayBuffer())), wrong.row);
await take(0.8);
await page.locator("input[type=file]").first().setInputFiles([{ name: "a picture.png", mimeType: "image/png", buffer: Buffer.from(bytes) }]);
await page.locator("section[aria-label='The picture'] .output").waitFor();
await page.waitForLoadState("networkidle");
await take(2.2);
await browser.close();
