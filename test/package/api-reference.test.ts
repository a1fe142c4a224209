// docs/api is what typedoc makes of the doc comments: one page per topic of scripts/docs/topics.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/folders.js";
import { root } from "../support/package-copy.js";

const INDEX = join(root, "src", "index.ts");
const TOPICS = join(root, "scripts", "docs", "topics");
const topics = readdirSync(TOPICS).sort();

/** The names that a module exports from other modules, one by one. `export *` counts for none. */
function exportsOf(text: string): string[] {
  const { statements } = ts.createSourceFile("module.ts", text, ts.ScriptTarget.Latest);
  return statements
    .filter(ts.isExportDeclaration)
    .flatMap(({ exportClause }) => (exportClause && ts.isNamedExports(exportClause) ? [...exportClause.elements] : []))
    .map(({ name }) => name.text);
}

/** The exports of src/index.ts that are in no topic, and those that are in several. */
function misplaced(index: string, pages: readonly string[]): { missing: string[]; repeated: string[] } {
  const placed = pages.flatMap(exportsOf);
  const count = (name: string): number => placed.filter((other) => other === name).length;
  const names = exportsOf(index);
  return { missing: names.filter((name) => count(name) === 0), repeated: names.filter((name) => count(name) > 1) };
}

const read = (file: string): string => readFileSync(file, "utf8");
const pages = topics.map((topic) => read(join(TOPICS, topic)));

test("every export of src/index.ts is in exactly one topic", () => {
  expect(exportsOf(read(INDEX))).toContain("BatchNorm");
  expect(misplaced(read(INDEX), pages)).toEqual({ missing: [], repeated: [] });
});

test("an export that is in no topic, or in two, is found", () => {
  const index = `${read(INDEX)} export { one, type Two as Three } from "./one.js";`;
  expect(misplaced(index, pages)).toEqual({ missing: ["one", "Three"], repeated: [] });
  const again = `export type { DType } from "../../../src/index.js";`;
  expect(misplaced(read(INDEX), [...pages, again])).toEqual({ missing: [], repeated: ["DType"] });
});

test("every topic is an entry point of typedoc", () => {
  const { entryPoints } = JSON.parse(read(join(root, "scripts", "docs", "typedoc.json"))) as { entryPoints: string[] };
  expect([...entryPoints].sort()).toEqual(topics.map((topic) => `topics/${topic}`));
});

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
  for (const file of files) expect(read(join(committed, file)), file).toBe(read(join(folder, file)));
});
