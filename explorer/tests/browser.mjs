// Walks every view in a real browser: what is clicked must show what it counts, nothing of others may run, no finding of axe.
// usage: node tests/browser.mjs ADDRESS CHROMIUM [FOLDER FOR PICTURES]. Prints {"milliseconds": {...}, "problems": [...]}.
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [address, executablePath, pictures] = process.argv.slice(2);
const axe = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const origin = new URL(address).origin;
const problems = [];
const milliseconds = {};
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

function expect(condition, words) {
  if (!condition) problems.push(words);
}

async function timed(name, action) {
  const start = performance.now();
  await action();
  milliseconds[name] = Math.round(10 * (performance.now() - start)) / 10;
}

async function opened(colorScheme, width) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, bypassCSP: false });
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    // A refused question is a 400 that the page shows in words: the browser logs it all the same.
    if (message.type() === "error" && !message.text().includes("status of 400")) problems.push(`${page.url()}: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    problems.push(`a dialog opened: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(address);
  await page.locator("h1").first().waitFor();
  return page;
}

const page = await opened("light", 1280);
expect(!page.url().includes("token"), "the token stays in the address");

// A confusion cell shows as many images as it counts.
const cell = page.locator("section[aria-labelledby=confusion] td a").first();
const counted = Number(await cell.textContent());
await timed("confusion cell to images", async () => {
  await cell.click();
  await page.locator("figure img").first().waitFor();
});
const told = await page.locator(".bar [role=status]").textContent();
expect(told.startsWith(`${counted.toLocaleString("en-US")} of`), `the cell counts ${counted}, the list says ${told}`);
const link = page.url();

// Select, tag, filter by the tag.
await page.locator("figure input").first().check({ force: true });
await page.getByLabel("Tag", { exact: true }).first().fill("seen by the test");
await page.getByRole("button", { name: /^Tag 1 image$/ }).click();
await page.getByText("1 image tagged").waitFor();
expect((await page.locator("figure .tags").first().textContent()) === "seen by the test", "the tag is not shown");
await page.getByRole("button", { name: "Untag" }).click();
await page.getByText("no longer tagged").waitFor();

// An image, and back: the address holds the whole view.
await timed("image page", async () => {
  await page.locator("figure a").first().click();
  await page.getByRole("heading", { name: "Concepts on this image" }).waitFor();
});
await page.goBack();
await page.locator("figure img").first().waitFor();
expect(page.url() === link, "going back leads elsewhere");

// The heatmap by keyboard: Enter shows as many images as the sentence counts.
await page.keyboard.press("3");
const map = page.getByRole("application");
await map.waitFor();
await map.focus();
await page.keyboard.press("ArrowDown");
await page.keyboard.press("ArrowDown");
const sentence = await page.locator(".words p").textContent();
const count = /In ([\d,]+) images? of/.exec(sentence)?.[1];
await timed("heatmap cell to images", async () => {
  await page.keyboard.press("Enter");
  await page.waitForURL(/pair=/);
  await page.locator(".grid").waitFor();
});
const passing = await page.locator(".bar [role=status]").textContent();
expect(passing.startsWith(`${count} of`), `the heatmap counts ${count}, the list says ${passing}`);

// A question in words.
await page.keyboard.press("/");
await page.keyboard.type("striped > metallic");
await timed("ask, first", async () => {
  await page.keyboard.press("Enter");
  await page.locator("article h2").waitFor();
});
await page.locator("form #q").fill("wooden > metallic");
await timed("ask, warm", async () => {
  await page.locator("form #q").press("Enter");
  await page.getByRole("heading", { name: "wooden > metallic" }).waitFor();
});
await page.locator("form #q").fill("a > b > c");
await page.locator("form #q").press("Enter");
await page.getByRole("alert").waitFor();

// A specification: a wrong name is marked, a right one is explained and gets its verdict.
await page.goto(`${origin}/?view=prove`);
const editor = page.locator(".cm-content");
await editor.waitFor();
await page.getByRole("heading", { name: "first_try" }).waitFor();
await timed("typing to diagnostics", async () => {
  await editor.press("Control+End");
  await page.keyboard.type(" and nonsense > ");
  await page.locator(".cm-lint-marker-error").first().waitFor();
});
await editor.press("Control+z");
for (let k = 0; k < 20 && (await editor.textContent()).includes("nonsense"); k++) await editor.press("Control+z");
await page.getByRole("heading", { name: "first_try" }).waitFor();
await timed("prove", async () => {
  await page.getByRole("button", { name: "Prove", exact: true }).click();
  await page.locator("article.card h2").waitFor();
});

// Every view, in both themes and three widths: no finding of axe, nothing wider than the page.
const views = ["study", "images", "heatmap", "ask&q=striped", "labels", "prove"];
for (const scheme of ["light", "dark"])
  for (const width of [400, 1280, 2560]) {
    const other = await opened(scheme, width);
    const image = await other.locator("section[aria-labelledby=confusion] td a").first();
    await image.click();
    const id = await other.locator("figure .id").first().textContent();
    for (const view of [...views, `image&id=${encodeURIComponent(id)}`]) {
      await other.goto(`${origin}/?view=${view}`, { waitUntil: "networkidle" });
      const name = view.split("&")[0];
      const wide = await other.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(wide <= 0, `${name} at ${width}: ${wide} pixels wider than the page`);
      if (width !== 2560) {
        // Evaluated by the debugger, which the page's policy does not bind.
        await other.evaluate(axe);
        const findings = await other.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"] }));
        for (const { id, nodes } of findings.violations) problems.push(`${name}, ${scheme}, ${width}: axe ${id}: ${nodes[0].html.slice(0, 160)}`);
      }
      if (pictures) await other.screenshot({ path: `${pictures}/${name}-${scheme}-${width}.png`, fullPage: name !== "images" });
    }
    await other.context().close();
  }
await browser.close();
console.log(JSON.stringify({ milliseconds, problems }, null, 1));
