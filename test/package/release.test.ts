// What a release checks before it packs, on tarballs that are wrong in one way each.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { installAddon, prebuildName } from "../../scripts/build/install-addon.mjs";
import { faultsOf, LIMIT } from "../../scripts/release/checks.mjs";
import { manifestOf } from "../../scripts/release/manifest.mjs";
import { publishedManifest } from "../../scripts/release/stage.mjs";
import { dynamicSymbols, missingProtection, tooNew } from "../../scripts/release/symbols.mjs";
import { TARGETS } from "../../scripts/release/targets.mjs";
import { addonPath } from "../support/addon.js";
import { temporaryFolder } from "../support/folders.js";
import { root } from "../support/package-copy.js";

const BINARIES = ["linux-arm64/batchnorm.glibc.node", "linux-x64/batchnorm.glibc.node"];
const GOOD = {
  size: LIMIT,
  paths: [
    "package.json",
    "native/binding.gyp",
    "native/check.mjs",
    "prebuilds/checksums.json",
    ...BINARIES.map((name) => `prebuilds/${name}`),
  ],
  manifest: { scripts: { check: "node ./native/check.mjs" } } as Record<string, unknown>,
};

test("a tarball with everything in it passes", () => {
  expect(faultsOf(GOOD, BINARIES)).toEqual([]);
});

const without = (name: string): typeof GOOD => ({ ...GOOD, paths: GOOD.paths.filter((path) => path !== name) });

test.each([
  ["a binary missing", without("prebuilds/linux-x64/batchnorm.glibc.node"), /glibc\.node is missing/],
  ["no checksums", without("prebuilds/checksums.json"), /checksums\.json is missing/],
  ["another file", { ...GOOD, paths: [...GOOD.paths, "prebuilds/x.node.new"] }, /x\.node\.new is not a binary/],
  ["too large", { ...GOOD, size: LIMIT + 1 }, /bytes packed/],
  ["binding.gyp in the root", { ...GOOD, paths: [...GOOD.paths, "binding.gyp"] }, /compile on install/],
  [
    "a script of the clone",
    { ...GOOD, manifest: { scripts: { prepare: "node scripts/build/build.mjs" } } },
    /"prepare" needs scripts\/build\/build\.mjs/,
  ],
  [
    "a script on install",
    { ...GOOD, manifest: { scripts: { postinstall: "node native/check.mjs" } } },
    /"postinstall" runs on install/,
  ],
  ["a dependency", { ...GOOD, manifest: { dependencies: { "left-pad": "1" } } }, /it has dependencies/],
  [
    "a peer that npm would install",
    { ...GOOD, manifest: { peerDependencies: { "left-pad": "1" } } },
    /peer dependency "left-pad" is not optional/,
  ],
])("refused: %s", (_, tarball, fault) => {
  const faults = faultsOf(tarball, BINARIES);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatch(fault);
});

test("this package's manifest passes as it is published, and not as it stands in the clone", () => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<string, unknown>;
  expect(faultsOf({ ...GOOD, manifest: publishedManifest(manifest) }, BINARIES)).toEqual([]);
  expect(faultsOf({ ...GOOD, manifest }, BINARIES).join("\n")).toMatch(/"prepare" needs scripts\/build\/build\.mjs/);
});

test("checksums are sorted by name and end with a line", () => {
  const binaries = new Map([
    ["b.node", Buffer.from("abc")],
    ["a.node", Buffer.alloc(0)],
  ]);
  expect(manifestOf("1.2.3", binaries)).toBe(`{
  "version": "1.2.3",
  "files": {
    "a.node": {
      "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "bytes": 0
    },
    "b.node": {
      "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      "bytes": 3
    }
  }
}
`);
});

test("a binary built since takes the checksums away", () => {
  const folder = temporaryFolder();
  const checksums = join(folder, "prebuilds", "checksums.json");
  mkdirSync(join(folder, "prebuilds"));
  writeFileSync(checksums, "{}\n");
  writeFileSync(join(folder, "built.node"), "addon");
  const path = installAddon(join(folder, "built.node"), folder, prebuildName("x64", "musl"));
  expect(path).toBe(join(folder, "prebuilds", `${process.platform}-x64`, "batchnorm.musl.node"));
  expect(readFileSync(path, "utf8")).toBe("addon");
  expect(existsSync(checksums)).toBe(false);
});

test("versions are compared by their parts", () => {
  const listing = "*UND* (GLIBC_2.28) memcpy\n*UND* (GLIBC_2.3.4) x\n*UND* GLIBCXX_3.4.22 y\n*UND* GLIBC_2.2.5 z\n";
  expect(tooNew(listing, "glibc")).toEqual([]);
  expect(tooNew(`${listing}(GLIBC_2.34) a\n(GLIBCXX_3.4.30) b\n`, "glibc")).toEqual(["GLIBC_2.34", "GLIBCXX_3.4.30"]);
  expect(tooNew("(GLIBC_2.2.5) memcpy\n", "musl")).toEqual(["GLIBC_2.2.5"]);
});

test("protections are read from the dynamic section and symbols", () => {
  const listing = "  FLAGS_1              0x00000001\n*UND* (GLIBC_2.4)  __stack_chk_fail\n";
  expect(missingProtection(listing)).toEqual([]);
  expect(missingProtection(listing.replace("0001", "0000"))).toEqual(["symbols bound at load (-z now)"]);
  expect(missingProtection("")).toEqual(["symbols bound at load (-z now)", "a stack protector"]);
});

const built = addonPath();
test.skipIf(built === null || spawnSync("objdump", ["--version"]).status !== 0)("the built binary has them", () => {
  expect(missingProtection(dynamicSymbols(built!))).toEqual([]);
});

test("the loader looks for every binary of a release", () => {
  const loader = readFileSync(join(root, "src", "binaries.ts"), "utf8");
  for (const { file } of TARGETS) expect(loader).toContain(`"../prebuilds/${file}"`);
});
