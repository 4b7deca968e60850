// The live view with a camera, without one, and with a browser that does not give it: what is seen is judged, what is wrong is said.
// usage: node tests/webcam.mjs ADDRESS CHROMIUM [FOLDER FOR PICTURES]. Prints {"problems": [...]}.
import { chromium } from "playwright-core";

const [address, executablePath, pictures] = process.argv.slice(2);
const origin = new URL(address).origin;
const FAKE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
const problems = [];

async function live(name, args, look) {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", ...args] });
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  page.on("pageerror", (error) => problems.push(`${name}: ${error.message}`));
  page.on("console", (message) => { if (message.type() === "error") problems.push(`${name}: ${message.text()}`); });
  await page.goto(address);
  await page.locator("h1").first().waitFor();
  const response = await page.goto(`${origin}/?view=live`, { waitUntil: "networkidle" });
  if (!response.headers()["permissions-policy"]?.includes("camera=(self)")) problems.push(`${name}: the page's policy does not name the camera`);
  try {
    await look(page);
  } catch (error) {
    problems.push(`${name}: ${String(error.message).split("\n")[0]}`);
  }
  if (pictures) await page.screenshot({ path: `${pictures}/webcam-${name}.png` });
  await browser.close();
}
const said = (page) => page.locator(".drop [role=alert]");

await live("camera", FAKE, async (page) => {
  await page.getByRole("button", { name: "Use the webcam" }).click();
  const output = page.locator(".camera .output");
  await output.waitFor();
  if (!(await output.textContent()).trim()) problems.push("camera: nothing is said of what it sees");
  const before = await page.locator(".camera").textContent();
  // The fake camera's picture moves, so that what is said of it changes.
  await page.waitForFunction((was) => document.querySelector(".camera").textContent !== was, before);
  const sizes = await page.evaluate(() => [document.querySelector("video").videoWidth, document.querySelector("video").paused]);
  if (!sizes[0] || sizes[1]) problems.push(`camera: the picture does not run (${sizes})`);
  await page.getByRole("button", { name: "Stop the webcam" }).click();
  await page.getByRole("button", { name: "Use the webcam" }).waitFor();
  const tracks = await page.evaluate(() => document.querySelector("video").srcObject?.getTracks().map((track) => track.readyState) ?? []);
  if (tracks.some((state) => state !== "ended")) problems.push(`camera: it is still on after it was stopped (${tracks})`);
  // Again, and away from the page: the camera goes off with it.
  await page.getByRole("button", { name: "Use the webcam" }).click();
  await output.waitFor();
  await page.evaluate(() => { window.tracks = document.querySelector("video").srcObject.getTracks(); });
  await page.keyboard.press("1");
  await page.locator("section[aria-labelledby=confusion]").waitFor();
  if (await page.evaluate(() => window.tracks.some((track) => track.readyState !== "ended"))) problems.push("camera: it is on after its view was left");
});
await live("refused", ["--use-fake-device-for-media-stream", "--deny-permission-prompts"], async (page) => {
  await page.getByRole("button", { name: "Use the webcam" }).click();
  await said(page).getByText("did not let this page use the camera").waitFor();
});
await live("none", ["--use-fake-device-for-media-stream=device-count=0", "--use-fake-ui-for-media-stream"], async (page) => {
  await page.getByRole("button", { name: "Use the webcam" }).click();
  await said(page).getByText("no camera that the browser can find").waitFor();
});
console.log(JSON.stringify({ problems }, null, 1));
