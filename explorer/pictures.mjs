// Draws every view, light and dark, wide and narrow, of the study at ADDRESS. Run by explorer/pictures.py.
// usage: node pictures.mjs ADDRESS CHROMIUM FOLDER [VIEW...]. Prints what went wrong, one line each; nothing when all is well.
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const [address, executablePath, folder, ...only] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const origin = new URL(address).origin;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

async function asked(page, path) {
  return page.evaluate(async (where) => (await fetch(where)).json(), path);
}

for (const scheme of ["light", "dark"])
  for (const width of [420, 1360]) {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 860 } });
    const page = await context.newPage();
    page.on("pageerror", (error) => console.log(`${page.url()}: ${error.message}`));
    page.on("console", (message) => { if (message.type() === "error") console.log(`${page.url()}: ${message.text()}`); });
    await page.goto(address);
    await page.locator("h1").first().waitFor();
    const study = await asked(page, "/api/study");
    const wrong = (await asked(page, "/api/images?set=wrong&order=confident&limit=1")).images[0];
    const id = encodeURIComponent(wrong?.id ?? (await asked(page, "/api/images?limit=1")).images[0].id);
    const [first, second] = study.concepts.map((concept) => concept.name);
    const views = {
      study: "view=study", images: "view=images&set=wrong&order=confident", heatmap: "view=heatmap", ask: `view=ask&q=${encodeURIComponent(`${first} > ${second}`)}`,
      image: `view=image&id=${id}`, labels: "view=labels", prove: "view=prove", witness: "view=witness", sliders: `view=sliders&id=${id}`, live: "view=live", summary: "view=summary",
      ...(study.compared ? { compare: "view=compare" } : {}),
    };
    for (const [name, query] of Object.entries(views)) {
      if (only.length && !only.includes(name)) continue;
      await page.goto(`${origin}/?${query}`, { waitUntil: "networkidle" });
      if (name === "image") {
        const map = page.locator(".maps button").first();
        if (await map.count()) await map.click();
        await page.waitForLoadState("networkidle");
      }
      if (name === "prove") {
        await page.getByRole("button", { name: "Prove", exact: true }).click();
        await page.locator("article.card h2").first().waitFor();
      }
      if (name === "sliders") {
        const slider = page.locator(".track input").first();
        if (await slider.count()) await slider.fill("2.5");
        await page.waitForLoadState("networkidle");
      }
      if (name === "live") {
        const bytes = await page.evaluate(async (row) => Array.from(new Uint8Array(await (await fetch(`/picture/${row}`)).arrayBuffer())), wrong?.row ?? 0);
        await page.locator("input[type=file]").first().setInputFiles([{ name: "a picture.png", mimeType: "image/png", buffer: Buffer.from(bytes) }]);
        await page.locator("section[aria-label='The picture'] .output").waitFor();
      }
      await page.waitForTimeout(150);
      await page.screenshot({ path: `${folder}/${name}-${scheme}-${width}.png`, fullPage: name !== "images" });
    }
    await context.close();
  }
await browser.close();
