// The addon's machine code and the symbols it needs, read from the shipped binary.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { dynamicSymbols, tooNew } from "../../scripts/release/symbols.mjs";
import { isAvailable } from "../support/backends.js";
import { root } from "../support/package-copy.js";

const prebuilds = join(root, "prebuilds");
const binary = join(prebuilds, "linux-x64", "batchnorm.glibc.node");
/** A release's has no table of its own functions. */
const hasSymbols =
  existsSync(binary) &&
  !execFileSync("objdump", ["-t", binary], { encoding: "utf8", maxBuffer: 2 ** 28 }).includes("no symbols");

describe.skipIf(!isAvailable("native/sse2") || !hasSymbols)("linux-x64 binary", () => {
  /** Machine code by demangled symbol. */
  const functions = new Map<string, string>();

  beforeAll(() => {
    const listing = execFileSync("objdump", ["-d", "-C", "--no-show-raw-insn", binary], {
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    for (const part of listing.split(/\n(?=[0-9a-f]{16} <)/)) {
      const name = /^[0-9a-f]{16} <(.*)>:/.exec(part)?.[1];
      if (name) functions.set(name, (functions.get(name) ?? "") + part);
    }
  });

  const kernelsOf = (set: string): [string, string][] =>
    [...functions].filter(([name]) => name.includes(`bn::${set}::`));
  /** Classes and functions of a kernel have its name in their own. */
  const plain = (name: string): string => name.replaceAll("_", "").toLowerCase();

  test.each([
    ["avx512", /%zmm\d/],
    ["avx2", /%ymm\d/],
    ["sse2", /%xmm\d/],
  ])("%s kernels use their registers, in both types", (set, register) => {
    for (const type of ["f32", "f64"]) {
      for (const kernel of ["moments", "normalize", "grad_sums", "grad_input", "forward", "backward"]) {
        const code = kernelsOf(set)
          .filter(([name]) => name.includes(`::${type}::`) && plain(name).includes(plain(kernel)))
          .map(([, text]) => text)
          .join("\n");
        expect(code, `${set} ${type} ${kernel}`).toMatch(register);
      }
    }
  });

  test("no set uses wider registers than it says", () => {
    for (const [name, code] of kernelsOf("avx2")) expect(code, name).not.toMatch(/%zmm/);
    for (const [name, code] of kernelsOf("sse2")) expect(code, name).not.toMatch(/%[yz]mm/);
  });

  test("no fused multiply-add anywhere", () => {
    expect(functions.size).toBeGreaterThan(50);
    for (const [name, code] of functions) expect(code, name).not.toMatch(/\bvf(n?m(add|sub)|maddsub|msubadd)/);
  });
});

/** Every binary that is here, by its name under prebuilds/. */
const binaries = existsSync(prebuilds)
  ? readdirSync(prebuilds, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".node"))
  : [];

test.each(binaries)("%s asks for no newer system than Node's own", (name) => {
  const listing = dynamicSymbols(join(prebuilds, name));
  expect(listing).toContain("napi_register_module_v1");
  expect(tooNew(listing, name.includes(".musl.") ? "musl" : "glibc")).toEqual([]);
});
