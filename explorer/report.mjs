// The report's first screen, and under it a heatmap with the images behind one of its cells: docs/images/report.png before colours are saved.
// usage: node report.mjs REPORT.html CHROMIUM PICTURE.png
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [file, executablePath, picture] = process.argv.slice(2);
const BETWEEN = ["reading", "localization", "failures", "classes"];
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
// Sections between the two are hidden from outside, which the page's own policy rightly forbids.
const page = await (await browser.newContext({ colorScheme: "light", viewport: { width: 1280, height: 1580 }, bypassCSP: true })).newPage();
await page.goto(pathToFileURL(file).href);
await page.locator("#hm td.chosen").waitFor();
await page.addStyleTag({ content: BETWEEN.map((id) => `#${id}`).join(", ") + " { display: none !important; }" });
await page.locator("#hm-kind").selectOption("differential_by_label");
// The cell in which right and wrong images differ most.
await page.evaluate(() => {
  const points = (cell) => { cell.dispatchEvent(new MouseEvent("mouseover", { bubbles: true })); return Math.abs(Number(/([+−-][\d.]+) points/.exec(document.querySelector("#hm-words").textContent)?.[1].replace("−", "-") ?? 0)); };
  const cells = [...document.querySelectorAll("#hm td")].map((cell) => [points(cell), cell]);
  cells.sort((a, b) => b[0] - a[0])[0][1].click();
  scrollTo(0, 0);
});
await page.screenshot({ path: picture });
await browser.close();
