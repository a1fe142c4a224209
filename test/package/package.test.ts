// The tarball, as its users get it: what is in it, and that it works from an empty folder.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { wasmBase64 } from "../../src/backends/wasm/wasm-binary.js";
import { BASELINE, backendsUnderTest, isAvailable } from "../support/backends.js";
import { root, runModule, temporaryFolder } from "../support/package-copy.js";

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

type Exports = string | { readonly [condition: string]: Exports };

interface Manifest {
  readonly exports: Exports;
  readonly main: string;
  readonly types: string;
}

/** Every file that `exports` names. */
function targetsOf(exports: Exports): string[] {
  return typeof exports === "string" ? [exports] : Object.values(exports).flatMap(targetsOf);
}

function pack(folder: string): Packed {
  const printed = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: root,
    encoding: "utf8",
  });
  return (JSON.parse(printed) as Packed[])[0]!;
}

test("ships what is built and nothing that runs on install", () => {
  const { files } = pack(temporaryFolder());
  const paths = files.map(({ path }) => path);
  const { exports, main, types } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
  const targets = [...targetsOf(exports), main, types].map((target) => target.replace("./", ""));
  expect(targets).toContain("dist/workerd.js");
  for (const path of [...targets, "dist/wasm-binary.js"]) expect(paths).toContain(path);
  expect(paths.filter((path) => !/^(dist|prebuilds|native|assembly|docs)\//.test(path)).sort()).toEqual([
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "package.json",
    "scripts/build/install-addon.mjs",
  ]);
  // Sources, not what was built of them.
  expect(paths).toContain("native/binding.gyp");
  expect(paths.filter((path) => /^native\/build\//.test(path))).toEqual([]);
  const binaries = paths.filter((path) => path.startsWith("prebuilds/"));
  expect(binaries.length > 0).toBe(isAvailable(BASELINE));
  const { scripts, gypfile, dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<
    string,
    Record<string, string> | boolean | undefined
  >;
  expect(gypfile).toBe(false);
  expect(dependencies).toBeUndefined();
  for (const script of ["preinstall", "install", "postinstall"]) expect(scripts).not.toHaveProperty(script);
});

test("the WASM module is smaller than 40 KB", () => {
  expect(Buffer.from(wasmBase64, "base64").length).toBeLessThan(40 * 1024);
});

test("installs into an empty folder and runs the README's example", () => {
  const folder = temporaryFolder();
  const { filename } = pack(folder);
  writeFileSync(join(folder, "package.json"), '{ "name": "user", "private": true }\n');
  execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", `./${filename}`], {
    cwd: folder,
    encoding: "utf8",
    stdio: "pipe",
  });
  const example = /```js\n(import \{ BatchNorm \}[^]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"))![1]!;
  const { stdout, stderr, status } = runModule(
    `${example}
     import { backends } from "batchnorm";
     import { variance } from "batchnorm/math";
     const used = backends().find(({ status }) => status === "in use").name;
     const finite = [y, gradInput, gradWeight, gradBias, prediction].every((array) => array.every(Number.isFinite));
     console.log(JSON.stringify({ used, finite, tracked: bn.numBatchesTracked, variance: typeof variance }));`,
    folder,
  );
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  const best = backendsUnderTest.find(({ kernels }) => kernels)!.name;
  expect(JSON.parse(stdout)).toEqual({ used: best, finite: true, tracked: 1, variance: "function" });
});
