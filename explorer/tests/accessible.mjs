// Every view in both themes and five widths, at rest and with what can be opened in it: no finding of axe, nothing wider than the page.
// usage: node tests/accessible.mjs ADDRESS CHROMIUM [WIDTH,WIDTH [FOLDER FOR PICTURES]]. Prints {"looks": number, "problems": [...]}.
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [address, executablePath, widths, pictures] = process.argv.slice(2);
const axe = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const origin = new URL(address).origin;
const WIDTHS = widths ? widths.split(",").map(Number) : [400, 768, 1280, 1920, 2560];
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const problems = [];
let looks = 0;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

/** What of a view is looked at beside its first sight: an action that brings it about, undefined for the view as it opens. */
const keys = (page) => page.keyboard.press("?");
const prove = async (page) => {
  await page.getByRole("button", { name: "Prove", exact: true }).click();
  await page.locator("article.card h2").first().waitFor();
};
const slide = async (page) => {
  const slider = page.locator(".track input").first();
  if (!(await slider.count())) return;
  await slider.focus();
  await page.keyboard.press("ArrowRight");
  await page.waitForURL(/shift=/);
};
const judge = async (page) => {
  const bytes = await page.evaluate(async () => Array.from(new Uint8Array(await (await fetch("/picture/0")).arrayBuffer())));
  await page.locator("input[type=file]").first().setInputFiles([{ name: "a picture.png", mimeType: "image/png", buffer: Buffer.from(bytes) }]);
  await page.locator("section[aria-label='The picture'] .output").waitFor();
};

const add = async (page) => {
  await page.getByRole("button", { name: "Add to the study" }).click();
  await page.getByRole("region", { name: "Add to the study" }).waitFor();
};
const show = async (page) => {
  const button = page.getByRole("button", { name: "Show in its folder" });
  if (!(await button.count())) return;
  await button.click();
  await page.getByText("The file is here").waitFor();
};

for (const scheme of ["light", "dark"]) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width: 1280, height: 900 }, reducedMotion: scheme === "dark" ? "reduce" : "no-preference" });
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.message}`));
  await page.goto(address);
  await page.locator("h1").first().waitFor();
  const study = await page.evaluate(async () => (await fetch("/api/study")).json());
  const wrong = await page.evaluate(async () => (await (await fetch("/api/images?set=wrong&order=confident&limit=1")).json()).images[0]);
  const [first, second] = study.concepts.map((concept) => concept.name);
  const pair = encodeURIComponent(`${first} > ${second}`);
  const id = encodeURIComponent(wrong.id);
  const views = [
    ["study", "study"], ["keys", "study", keys], ["images", "images"], ["pair", `images&set=wrong&pair=${pair}&order=strongest`],
    ["none", "images&text=no%20such%20name"], ["refused", "images&label=no%20such%20class"], ["heatmap", "heatmap"], ["ask", "ask"],
    ["asked", `ask&q=${pair}`], ["concept", `ask&q=${encodeURIComponent(first)}`], ["adding", "ask&q=a%20word%20of%20its%20own", add], ["image", `image&id=${id}`],
    ["map", `image&id=${id}&map=${encodeURIComponent(first)}`], ["shown", `image&id=${id}`, show], ["lost", "image&id=nowhere"], ["labels", "labels"], ["prove", "prove"],
    ["proved", "prove", prove], ["witness", "witness"], ["sliders", `sliders&id=${id}`], ["moved", `sliders&id=${id}`, slide], ["live", "live"],
    ["judged", "live", judge], ["summary", "summary"], ...(study.compared ? [["compare", "compare"]] : []),
  ];
  for (const [name, view, act] of views) {
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.goto(`${origin}/?view=${view}`, { waitUntil: "networkidle" });
    try {
      if (act) await act(page);
    } catch (error) {
      problems.push(`${name}, ${scheme}: ${String(error.message).split("\n")[0]}`);
    }
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) problems.push(`${name}, ${scheme}, ${width}: ${wide} pixels wider than the page`);
      // Evaluated by the debugger, which the page's policy does not bind.
      await page.evaluate(axe);
      const findings = await page.evaluate((rules) => globalThis.axe.run(document, { runOnly: rules }), RULES);
      for (const { id: rule, nodes } of findings.violations) problems.push(`${name}, ${scheme}, ${width}: axe ${rule}, ${nodes.length} times: ${nodes[0].html.slice(0, 200)} ${nodes[0].any[0]?.message ?? ""}`);
      if (pictures) await page.screenshot({ path: `${pictures}/${name}-${scheme}-${width}.png`, fullPage: !["images", "keys"].includes(name) });
      looks += 1;
    }
    // How far it is, for whoever waits.
    console.error(`${scheme}, ${name}: ${looks} looks, ${problems.length} problems`);
  }
  // Whoever asked for less motion gets none.
  if (scheme === "dark") {
    const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((e) => {
      const style = getComputedStyle(e);
      return parseFloat(style.transitionDuration) > 0.01 || (style.animationName !== "none" && parseFloat(style.animationDuration) > 0.01);
    }).length);
    if (moving) problems.push(`${moving} elements move although less motion was asked for`);
  }
  await context.close();
}
await browser.close();
console.log(JSON.stringify({ looks, problems }, null, 1));
