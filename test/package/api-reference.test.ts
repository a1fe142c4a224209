// docs/api is what typedoc makes of the doc comments as they are.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { root, temporaryFolder } from "../support/package-copy.js";

test("the API reference is up to date: npm run docs", () => {
  const folder = temporaryFolder();
  const typedoc = join(dirname(createRequire(import.meta.url).resolve("typedoc/package.json")), "bin", "typedoc");
  execFileSync(process.execPath, [typedoc, "--options", "scripts/docs/typedoc.json", "--out", folder], {
    cwd: root,
    stdio: "pipe",
  });
  const committed = join(root, "docs", "api");
  const files = readdirSync(folder).sort();
  expect(files).toEqual(readdirSync(committed).sort());
  for (const file of files) {
    expect(readFileSync(join(committed, file), "utf8"), file).toBe(readFileSync(join(folder, file), "utf8"));
  }
});
