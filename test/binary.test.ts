// The addon's machine code and the symbols it needs, read from the shipped binary.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { isAvailable } from "./backends.js";
import { root } from "./support/package-copy.js";

const binary = join(root, "prebuilds", "linux-x64", "batchnorm.glibc.node");

describe.skipIf(!isAvailable("native/sse2"))("linux-x64 binary", () => {
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
    [...functions].filter(([name]) => name.startsWith(`bn::${set}::`));

  test.each([
    ["avx512", /%zmm\d/],
    ["avx2", /%ymm\d/],
    ["sse2", /%xmm\d/],
  ])("%s kernels use their registers, in both types", (set, register) => {
    for (const type of ["f32", "f64"]) {
      for (const kernel of ["moments", "normalize", "grad_sums", "grad_input", "forward", "backward"]) {
        const code = kernelsOf(set)
          .filter(([name]) => name.includes(`::${type}::`) && name.includes(kernel))
          .map(([, text]) => text)
          .join("\n");
        expect(code, `${set} ${type} ${kernel}`).toMatch(register);
      }
    }
  });

  test("no set uses wider registers than it says", () => {
    for (const [name, code] of kernelsOf("avx2")) expect(code, name).not.toMatch(/%zmm/);
    for (const set of ["sse2", "scalar"])
      for (const [name, code] of kernelsOf(set)) expect(code, name).not.toMatch(/%[yz]mm/);
  });

  test("no fused multiply-add anywhere", () => {
    expect(functions.size).toBeGreaterThan(50);
    for (const [name, code] of functions) expect(code, name).not.toMatch(/\bvf(n?m(add|sub)|maddsub|msubadd)/);
  });

  test("needs at most GLIBC 2.28 and GLIBCXX 3.4.22", () => {
    const symbols = execFileSync("objdump", ["-T", binary], { encoding: "utf8" });
    const newest = (library: string): number[] =>
      [...symbols.matchAll(new RegExp(`\\b${library}_(\\d+)\\.(\\d+)(?:\\.(\\d+))?`, "g"))]
        .map(([, ...parts]) => parts.map((part) => Number(part ?? 0)))
        .sort((a, b) => b[0]! - a[0]! || b[1]! - a[1]! || b[2]! - a[2]!)[0] ?? [0, 0, 0];
    const atMost = (found: readonly number[], limit: readonly number[]): boolean => {
      const at = found.findIndex((part, i) => part !== limit[i]);
      return at < 0 || found[at]! < limit[at]!;
    };
    expect(atMost(newest("GLIBC"), [2, 28, 0]), `GLIBC ${newest("GLIBC").join(".")}`).toBe(true);
    expect(atMost(newest("GLIBCXX"), [3, 4, 22]), `GLIBCXX ${newest("GLIBCXX").join(".")}`).toBe(true);
  });
});
