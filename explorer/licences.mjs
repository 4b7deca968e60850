// Prints the licence of every package that the bundle is made of: those that package.json depends on, and theirs; and Svelte.
import { readFileSync, readdirSync, existsSync } from "node:fs";

const manifest = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
const wanted = [...Object.keys(JSON.parse(readFileSync("package.json", "utf8")).dependencies), "svelte"];
const met = new Set();
while (wanted.length) {
  const name = wanted.pop();
  if (met.has(name) || !existsSync(`node_modules/${name}`)) continue;
  met.add(name);
  wanted.push(...Object.keys(manifest(name).dependencies ?? {}));
}
for (const name of [...met].sort()) {
  const { version, license } = manifest(name);
  const file = readdirSync(`node_modules/${name}`).find((entry) => /^licen[cs]e/i.test(entry));
  console.log(`${name} ${version}: ${license}\n`);
  if (file) console.log(readFileSync(`node_modules/${name}/${file}`, "utf8"));
  console.log("-".repeat(72));
}
