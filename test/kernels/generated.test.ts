// The headers of native/ and assembly/ and the self-check's hashes are those that the tables and the oracle make.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { GENERATED } from "../../scripts/build/generate.js";
import { root } from "../support/package-copy.js";

test.each(Object.entries(GENERATED))("%s is up to date (npm run generate)", (path, textOf) => {
  expect(readFileSync(join(root, path), "utf8")).toBe(textOf());
});
