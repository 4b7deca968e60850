// Walks every view in a real browser: what is clicked must show what it counts, nothing of others may run.
// usage: node tests/browser.mjs ADDRESS CHROMIUM. Prints {"milliseconds": {...}, "problems": [...]}.
import { chromium } from "playwright-core";

const [address, executablePath] = process.argv.slice(2);
const origin = new URL(address).origin;
/** A name as the page shows it. */
const escaped = (name) => name.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
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
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, bypassCSP: false, reducedMotion: width === 400 ? "reduce" : "no-preference" });
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

// What breaks it: the slider says of each size what lies inside; the address holds the size.
await page.getByRole("button", { name: /what breaks it|how far it reaches/ }).first().click();
await page.locator("#size").waitFor();
await page.locator("#size").focus();
await page.keyboard.press("End");
const inside = await page.locator(".head p[role=status]").textContent();
const [, shown, members] = /, ([\d,]+) real images? of ([\d,]+)/.exec(inside) ?? [];
expect(shown !== undefined && Number(shown) > 0 && Number(shown) <= Number(members), `at the largest size: ${inside}`);
await page.waitForURL(/size=/);
await page.getByRole("heading", { name: "Real images that break it" }).waitFor();

// Nothing to prove is said in words.
await page.goto(`${origin}/?view=prove&spec=${encodeURIComponent("# nothing yet\n")}`);
await editor.waitFor();
await page.getByRole("button", { name: "Prove", exact: true }).click();
await page.getByText("There is no property here to prove").waitFor();

// The last decision is taken back by its key, wherever the queue has gone on to, and its image is shown again.
await page.goto(`${origin}/?view=labels`, { waitUntil: "networkidle" });
const decided = page.locator("p[role=status]");
if (await page.locator(".desk").count()) {
  const [before, label] = [await decided.textContent(), await page.locator(".desk img").getAttribute("alt")];
  for (const [key, done] of [["d", /1 dropped/], ["k", /1 kept, 0 relabelled, 1 dropped/], ["u", /0 kept, 0 relabelled, 1 dropped/], ["u", /0 dropped/]]) {
    await page.keyboard.press(key);
    await decided.filter({ hasText: done }).waitFor();
  }
  expect((await decided.textContent()) === before, `after undoing: ${await decided.textContent()}`);
  expect((await page.locator(".desk img").getAttribute("alt")) === label, "undoing does not show the image again");
}

// No name turns the text around it.
for (const view of ["study", "images", "labels", "heatmap", `image&id=${encodeURIComponent((await page.evaluate(async () => (await (await fetch("/api/images?set=wrong&limit=1")).json()).images[0])).id)}`, "compare"]) {
  await page.goto(`${origin}/?view=${view}`, { waitUntil: "networkidle" });
  expect(!/[\u0080-\u009f\u202a-\u202e\u2066-\u2069]/.test(await page.evaluate(() => document.body.innerText)), `${view} shows a mark that turns or hides text`);
}

// Concept sliders, by keyboard: the strength of the concept follows, and all goes back.
const wrong = await page.evaluate(async () => (await (await fetch("/api/images?set=wrong&order=confident&limit=1")).json()).images[0]);
await page.goto(`${origin}/?view=image&id=${encodeURIComponent(wrong.id)}`);
await page.getByRole("button", { name: "Move its concepts" }).click();
const slider = page.locator(".track input").first();
await slider.waitFor();
const strength = page.locator(".slider output .quiet").first();
const still = await strength.textContent();
await slider.focus();
await timed("slider", async () => {
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((was) => document.querySelector(".slider output .quiet").textContent !== was, still);
});
await page.waitForURL(/shift=/);
await page.getByRole("button", { name: "All back to the image" }).click();
await page.waitForFunction((was) => document.querySelector(".slider output .quiet").textContent === was, still);

// A picture from outside gets the study's own output; what is none is refused in words, and neither runs anything.
const bytes = await page.evaluate(async (row) => Array.from(new Uint8Array(await (await fetch(`/picture/${row}`)).arrayBuffer())), wrong.row);
await page.keyboard.press("8");
const chooser = page.locator("input[type=file]").first();
await timed("live", async () => {
  await chooser.setInputFiles([{ name: "<img src=x onerror=alert(1)>\u009b\u202e.png", mimeType: "image/png", buffer: Buffer.from(bytes) }]);
  await page.locator("section[aria-label='The picture'] .output").waitFor();
});
const judged = await page.locator("section[aria-label='The picture'] .output").textContent();
expect(judged.startsWith(wrong.output), `the picture's output is ${judged}, not ${wrong.output}`);
await chooser.setInputFiles([{ name: "a.svg", mimeType: "image/svg+xml", buffer: Buffer.from("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>") }]);
await page.getByText("not an image").first().waitFor();

// Two studies: as many broken images as the comparison counts, and the heatmap's difference by keyboard.
const overview = await page.evaluate(async () => (await fetch("/api/study")).json());
if (overview.compared) {
  await timed("compare", async () => {
    await page.keyboard.press("9");
    await page.getByRole("heading", { name: "Images that changed sides" }).waitFor();
    await page.locator(".grid figure").first().waitFor();
  });
  const told = Number(/Broken ([\d,]+)/.exec(await page.getByRole("button", { name: /^Broken/ }).textContent())[1]);
  await page.getByRole("button", { name: "Open among all images" }).click();
  await page.waitForURL(/changed=broken/);
  await page.locator(".bar [role=status]").waitFor();
  const listed = await page.locator(".bar [role=status]").textContent();
  expect(listed.startsWith(`${told} of`), `${told} are broken, the list says ${listed}`);
  await page.keyboard.press("9");
  await page.getByRole("button", { name: "Exchange the parts" }).click();
  await page.getByRole("button", { name: "swap-test as CSV" }).waitFor();
}

// A figure as SVG and PNG, a table as CSV.
await page.goto(`${origin}/?view=ask&q=${encodeURIComponent(`${overview.concepts[0].name} > ${overview.concepts[1].name}`)}`);
for (const [button, ending] of [["strengths as SVG", ".svg"], ["strengths as PNG", ".png"], ["classes-told-apart as CSV", ".csv"]]) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: button }).click()]);
  expect(download.suggestedFilename().endsWith(ending), `${button} gives ${download.suggestedFilename()}`);
}

// One page to print is one page.
await page.goto(`${origin}/?view=summary`, { waitUntil: "networkidle" });
const pdf = (await page.pdf({ format: "A4", margin: { top: "12mm", bottom: "12mm", left: "12mm", right: "12mm" } })).toString("latin1");
const sheets = (pdf.match(/\/Type\s*\/Page\b(?!s)/g) ?? []).length;
expect(sheets === 1, `the summary prints on ${sheets} pages`);

// On paper names stand where they are pressed on the screen, and what acts is left out.
await page.goto(`${origin}/?view=image&id=${encodeURIComponent(wrong.id)}`, { waitUntil: "networkidle" });
await page.emulateMedia({ media: "print", colorScheme: "dark" });
expect(await page.locator("table th[scope=row] button").last().isVisible(), "the names of concepts are not printed");
expect(!(await page.getByRole("button", { name: "Move its concepts" }).isVisible()), "buttons are printed");
expect((await page.evaluate(() => getComputedStyle(document.querySelector("table th")).color)) === "rgb(0, 0, 0)", "a dark page is printed in light letters");
await page.emulateMedia({ media: "screen", colorScheme: "light" });

// A word that the study does not have: the lines are shown before anything is written, and nothing is.
await page.goto(`${origin}/?view=ask&q=${encodeURIComponent("brand-new & odd")}`, { waitUntil: "networkidle" });
await page.getByRole("button", { name: "Add to the study" }).click();
await page.getByText('"brand-new & odd" = ["brand-new & odd"]').waitFor();
expect(await page.getByRole("button", { name: /missing|Write it/ }).isVisible(), "nothing asks whether to write");
await page.getByRole("button", { name: "Leave it" }).click();

// An image that is a file is shown in its folder, or its path is given where there is no desktop.
const file = page.getByRole("button", { name: "Show in its folder" });
await page.goto(`${origin}/?view=image&id=${encodeURIComponent(wrong.id)}`, { waitUntil: "networkidle" });
if (await file.count()) {
  await file.click();
  await page.getByText("The file is here").waitFor();
  expect((await page.locator(".wide pre").textContent()).endsWith(escaped(wrong.id.split("/").at(-1))), "the path is not that of the image");
}

// Keys: the list opens by its own key and closes by Escape.
await page.goto(`${origin}/?view=study`, { waitUntil: "networkidle" });
await page.keyboard.press("?");
await page.getByRole("dialog").waitFor();
await page.keyboard.press("Escape");
await page.getByRole("dialog").waitFor({ state: "hidden" });

await browser.close();
console.log(JSON.stringify({ milliseconds, problems }, null, 1));
