// How fluid the explorer at ADDRESS is where there is much: milliseconds between frames while what is long is scrolled, or crossed.
// usage: node tests/frames.mjs ADDRESS CHROMIUM. Prints {"what": [milliseconds, ...]}.
import { chromium } from "playwright-core";

const [address, executablePath] = process.argv.slice(2);
const origin = new URL(address).origin;
const FRAMES = 90;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
const measured = {};

/** Time between frames while `act(k)` is done in each of them, k = 0, 1, ... */
async function frames(what, act) {
  measured[what] = await page.evaluate(
    ([act, count]) =>
      new Promise((done) => {
        const run = new Function("k", act);
        const stamps = [];
        const frame = () => {
          stamps.push(performance.now());
          if (stamps.length > count) return done(stamps.slice(1).map((stamp, k) => Math.round(10 * (stamp - (stamps[k] ?? 0))) / 10));
          run(stamps.length);
          requestAnimationFrame(frame);
        };
        requestAnimationFrame(frame);
      }),
    [act, FRAMES],
  );
}
const go = (query) => page.goto(`${origin}/?${query}`, { waitUntil: "networkidle" });
const SCROLL = "const down = Math.floor(k / 45) % 2 === 0; scrollBy({ top: down ? 120 : -120, behavior: 'instant' })";
const CROSS = "const c = document.querySelector('.cells'); const b = c.getBoundingClientRect(); c.dispatchEvent(new MouseEvent('mousemove', { bubbles: true, clientX: b.left + (b.width * k) / 91, clientY: Math.max(0, b.top) + 3 * k }))";

await page.goto(address);
await page.locator("h1").first().waitFor();
await go("view=study");
await frames("scrolling the overview", SCROLL);
await go("view=heatmap");
await page.locator("canvas").first().waitFor({ timeout: 60_000 });
await frames("crossing the heatmap", CROSS);
await frames("scrolling the heatmap", SCROLL);
await go("view=images&order=confident");
await page.locator("figure img").first().waitFor({ timeout: 60_000 });
await frames("scrolling images", SCROLL);
await page.locator("figure a").first().click();
await page.getByRole("heading", { name: "Concepts on this image" }).waitFor({ timeout: 60_000 });
const all = page.getByRole("button", { name: /^All [\d,]+$/ });
if (await all.count()) await all.click();
await frames("scrolling an image's page with all of its concepts", SCROLL);
await browser.close();
console.log(JSON.stringify(measured));
