// Two tabs on one study with decisions in both; a run underneath, and a server that is killed: nothing is lost, and it is said.
// usage: node tests/tabs.mjs ADDRESS CHROMIUM PROCESS. Prints "decided" when the study may be run again, then {"problems": [...]}.
import { chromium } from "playwright-core";

const [address, executablePath, server] = process.argv.slice(2);
const problems = [];
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
function expect(condition, words) {
  if (!condition) problems.push(words);
}
async function opened() {
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.message}`));
  await page.goto(address);
  await page.locator("h1").first().waitFor();
  await page.keyboard.press("5");
  await page.locator(".ask").waitFor();
  return page;
}
const [first, second] = [await opened(), await opened()];
const told = (page) => page.locator("main p[role=status]").first().textContent();

// Each decides on another image; both see both when they look again.
await first.keyboard.press("k");
await first.getByText("1 kept").waitFor();
await second.keyboard.press("ArrowRight");
await second.keyboard.press("d");
await second.getByText("1 kept, 0 relabelled, 1 dropped").waitFor();
await first.reload({ waitUntil: "networkidle" });
await first.getByText("1 kept, 0 relabelled, 1 dropped").waitFor();
// Both decide on the same image at once: the last word counts, in both.
await Promise.all([first, second].map(async (page) => { await page.locator(".strip button").first().click(); }));
await Promise.all([first.keyboard.press("r"), second.keyboard.press("d")]);
await first.waitForLoadState("networkidle");
await second.waitForLoadState("networkidle");
await Promise.all([first.reload({ waitUntil: "networkidle" }), second.reload({ waitUntil: "networkidle" })]);
expect((await told(first)) === (await told(second)), `the tabs say ${await told(first)} and ${await told(second)}`);
const figures = await told(first);

const digest = () => first.evaluate(async () => (await (await fetch("/api/state")).json()).digest);
const before = await digest();
console.error("decided");
// The new results are taken up without anybody doing anything, and the decisions are still there.
const end = Date.now() + 90_000;
while ((await digest()) === before && Date.now() < end) await new Promise((done) => setTimeout(done, 300));
expect((await digest()) !== before, "the run underneath is not taken up");
await first.bringToFront();
await first.waitForTimeout(6000);
await first.locator("main p[role=status]", { hasText: "Decided" }).waitFor();
const after = await first.locator("main p[role=status]", { hasText: "Decided" }).textContent();
expect(after.replace(/\s+/g, " ") === figures.replace(/\s+/g, " "), `after the run the figures are ${after}`);

process.kill(Number(server), "SIGKILL");
await first.getByText("The explorer was stopped.").waitFor({ timeout: 15_000 });
// What is decided now is refused in words, and the figures stay as they were.
await first.keyboard.press("k");
await first.getByText("does not answer").first().waitFor({ timeout: 15_000 });
const still = await first.locator("main p[role=status]", { hasText: "Decided" }).textContent();
expect(still === after, `with the server gone the figures become ${still}`);
await browser.close();
console.log(JSON.stringify({ problems }, null, 1));
