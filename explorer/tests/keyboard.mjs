// Every view by the keyboard alone: Tab reaches everything in the order of the page, shows where it is, and comes out at the end again.
// usage: node tests/keyboard.mjs ADDRESS CHROMIUM [WIDTH]. Prints {"stops": number, "problems": [...]}.
import { chromium } from "playwright-core";

const [address, executablePath, width] = process.argv.slice(2);
const origin = new URL(address).origin;
const problems = [];
let stops = 0;
// More than a page of images has; whoever is still inside then is caught.
const MOST = 700;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: Number(width ?? 1280), height: 900 }, reducedMotion: "reduce" });
const page = await context.newPage();
page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.message}`));

function expect(condition, words) {
  if (!condition) problems.push(words);
}

/** Of the element that has the focus: what it is, whether one sees that, and whether it stands behind the one before it. */
const focused = () =>
  page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body || element === document.documentElement) return null;
    const previous = globalThis.lastFocused;
    globalThis.lastFocused = element;
    const ringed = (e) => {
      const style = getComputedStyle(e);
      return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none" || (e.tagName === "rect" && style.stroke !== "none");
    };
    const near = [element, ...element.children, element.parentElement, element.parentElement?.parentElement].filter(Boolean);
    const box = element.getBoundingClientRect();
    return {
      is: `${element.tagName.toLowerCase()} ${(element.getAttribute("aria-label") ?? element.textContent ?? "").trim().slice(0, 40)}`,
      named: Boolean(element.getAttribute("aria-label") || element.getAttribute("title") || element.textContent?.trim() || element.labels?.length || element.getAttribute("placeholder") || element.querySelector("img[alt]")?.alt),
      seen: near.some(ringed),
      inside: box.bottom > 0 && box.top < innerHeight && (box.width > 0 || box.height > 0),
      behind: !previous || !previous.isConnected || previous === element || Boolean(previous.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING),
      same: previous === element,
    };
  });

async function walk(name) {
  await page.evaluate(() => { globalThis.lastFocused = undefined; document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute("tabindex"); scrollTo(0, 0); });
  const reached = [];
  for (let k = 0; k < MOST; k++) {
    await page.keyboard.press("Tab");
    let stop = await focused();
    if (stop === null) break;
    if (!stop.seen) {
      // The editor marks itself a moment later.
      await page.waitForTimeout(100);
      stop = { ...stop, seen: (await focused()).seen };
    }
    if (reached.length && (stop.same || !stop.behind)) {
      // The browser begins anew where it has no bar of its own to go to.
      expect(!stop.same, `${name}: Tab stays on ${stop.is}`);
      if (/skip to/i.test(stop.is)) break;
      expect(stop.behind, `${name}: ${stop.is} stands before ${reached.at(-1)}`);
    }
    if (reached.length === MOST - 1) problems.push(`${name}: Tab never leaves the page; last ${stop.is}`);
    expect(stop.seen, `${name}: nothing shows that ${stop.is} has the focus`);
    expect(stop.inside, `${name}: ${stop.is} has the focus out of sight`);
    expect(stop.named, `${name}: ${stop.is} has no name`);
    reached.push(stop.is);
  }
  stops += reached.length;
  // What can be clicked can be reached: as many stops as there are things to stop at.
  const there = await page.evaluate(() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex], [contenteditable=true]")].filter((e) => {
    if (e.closest("dialog:not([open])") || e.disabled || e.tabIndex < 0 || e.getAttribute("tabindex") === "-1") return false;
    const closed = e.closest("details:not([open])");
    if (closed && !(e.tagName === "SUMMARY" && e.parentElement === closed)) return false;
    return e.checkVisibility({ visibilityProperty: true });
  }).length);
  expect(reached.length >= Math.min(there, MOST - 1), `${name}: ${there} things to stop at, ${reached.length} reached`);
  if (reached.length > 2) {
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    const back = await page.evaluate(() => document.activeElement !== document.body);
    expect(back, `${name}: Shift and Tab do not lead back`);
  }
}

await page.goto(address);
await page.locator("h1").first().waitFor();
const study = await page.evaluate(async () => (await fetch("/api/study")).json());
const wrong = await page.evaluate(async () => (await (await fetch("/api/images?set=wrong&order=confident&limit=1")).json()).images[0]);
const [first, second] = study.concepts.map((concept) => concept.name);
const id = encodeURIComponent(wrong.id);
const views = {
  study: "study", images: "images&set=wrong", heatmap: "heatmap", ask: `ask&q=${encodeURIComponent(`${first} > ${second}`)}`, words: "ask&q=striped",
  image: `image&id=${id}`, labels: "labels", prove: "prove", witness: "witness", sliders: `sliders&id=${id}`, live: "live", summary: "summary",
  ...(study.compared ? { compare: "compare" } : {}),
};
for (const [name, view] of Object.entries(views)) {
  await page.goto(`${origin}/?view=${view}`, { waitUntil: "networkidle" });
  await walk(name);
}

// The first stop leads over the navigation, and a view is opened by Enter.
await page.goto(`${origin}/?view=study`, { waitUntil: "networkidle" });
await page.keyboard.press("Tab");
await page.keyboard.press("Enter");
expect(await page.evaluate(() => document.activeElement?.id === "main"), "the first stop does not lead to the content");
await page.locator("nav a", { hasText: "Heatmap" }).focus();
await page.keyboard.press("Enter");
await page.waitForURL(/view=heatmap/);
const map = page.getByRole("application");
await map.focus();
await page.keyboard.press("ArrowDown");
await page.keyboard.press("Tab");
expect(!(await map.evaluate((e) => e === document.activeElement)), "Tab does not leave the heatmap");

// The list of words and keys: Enter opens it, Tab stays in it while it is open, Escape closes it and gives the focus back.
const opener = page.getByRole("button", { name: "Words and keys" });
await opener.focus();
await page.keyboard.press("Enter");
await page.getByRole("dialog").waitFor();
for (let k = 0; k < 4; k++) await page.keyboard.press("Tab");
expect(await page.evaluate(() => document.activeElement === document.body || Boolean(document.activeElement?.closest("dialog"))), "the focus leaves a dialog that is open");
await page.keyboard.press("Escape");
await page.getByRole("dialog").waitFor({ state: "hidden" });
expect(await opener.evaluate((e) => e === document.activeElement), "Escape does not give the focus back");

// The editor is left by Tab, and its list of completions by Escape.
await page.goto(`${origin}/?view=prove`, { waitUntil: "networkidle" });
const editor = page.locator(".cm-content");
await editor.focus();
await page.keyboard.press("Control+Space");
await page.locator(".cm-tooltip-autocomplete").waitFor();
await page.keyboard.press("Escape");
await page.locator(".cm-tooltip-autocomplete").waitFor({ state: "hidden" });
const text = await editor.textContent();
await page.keyboard.press("Tab");
expect(!(await editor.evaluate((e) => e === document.activeElement)), "Tab does not leave the editor");
expect((await editor.textContent()) === text, "Tab changes the text");

// A word is added to the study from the keyboard, as far as the question whether to write it.
await page.goto(`${origin}/?view=ask&q=striped`, { waitUntil: "networkidle" });
const add = page.getByRole("button", { name: "Add to the study" });
if (await add.count()) {
  await add.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Add to the study" }).waitFor();
  await walk("adding");
}

await browser.close();
console.log(JSON.stringify({ stops, problems }, null, 1));
