// npm run page:build writes the page into build/site, with its digits; npm run page serves what it wrote.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, preview, type InlineConfig } from "vite";
import { packDigits } from "./pack-digits.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const assets = join(root, "build", "site-assets");

const config: InlineConfig = {
  configFile: false,
  root: join(root, "site"),
  // Relative, so that the folder works at any address.
  base: "./",
  publicDir: assets,
  build: {
    outDir: join(root, "build", "site"),
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
  logLevel: "warn",
};

async function main(): Promise<void> {
  const [option, ...others] = process.argv.slice(2);
  if (others.length > 0 || (option !== undefined && option !== "--serve")) throw new Error("usage: main.ts [--serve]");
  mkdirSync(assets, { recursive: true });
  writeFileSync(join(assets, "digits.bin"), packDigits());
  await build(config);
  console.log("build/site: static files, to be served from any folder of any server");
  if (option === "--serve") console.log((await preview(config)).resolvedUrls?.local.join("\n"));
}

await main();
