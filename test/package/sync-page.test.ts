// The code of docs/sync.md runs with the built package, as its readers run it.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/folders.js";
import { packageCopy, root } from "../support/package-copy.js";

const page = readFileSync(join(root, "docs", "sync.md"), "utf8");
const blocks = [...page.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code!);
const pairs = blocks.flatMap((code, i) => (code.startsWith("// main.js\n") ? [[code, blocks[i + 1]!] as const] : []));
/** Those of a page run in Chromium, in test/environments. */
const inPage = blocks.filter((code) => /^\/\/ (page|worker)\.js\n/.test(code));
const single = blocks.filter((code) => !/^\/\/ \w+\.js\n/.test(code));

/** Runs files in a folder that has the package; the first of them is the program. */
function run(files: Record<string, string>): { stdout: string; stderr: string; status: number | null } {
  const folder = temporaryFolder();
  const installed = join(folder, "node_modules", "batchnorm");
  mkdirSync(join(folder, "node_modules"));
  cpSync(packageCopy(), installed, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  for (const [name, code] of Object.entries(files)) writeFileSync(join(folder, name), code);
  const [program = ""] = Object.keys(files);
  const { stdout, stderr, status } = spawnSync(process.execPath, [program], {
    cwd: folder,
    encoding: "utf8",
    timeout: 60_000,
  });
  return { stdout, stderr, status };
}

test("all blocks of code are found", () => {
  expect([pairs.length, inPage.length, single.length]).toEqual([2, 2, blocks.length - 6]);
  expect(single.length).toBeGreaterThan(3);
});

test.each(single.map((code) => [code.split("\n").find((line) => !line.startsWith("import"))!, code]))(
  "%s",
  (_, code) => {
    expect(run({ "program.js": code })).toEqual({ stdout: "", stderr: "", status: 0 });
  },
);

test.each(pairs.map(([main, train]) => [/(Worker|fork)\(/.exec(main)![1]!, main, train]))(
  "%s: each rank prints its line",
  (_, main, train) => {
    const { stdout, stderr, status } = run({ "main.js": main, "train.js": train });
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    const lines = stdout.trim().split("\n").sort();
    const size = lines.length;
    expect(size).toBeGreaterThan(1);
    lines.forEach((line, rank) =>
      expect(line).toMatch(new RegExp(`^rank ${rank} of ${size}: \\d+ (gradients|outputs)$`)),
    );
  },
);
