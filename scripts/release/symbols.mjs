// What a binary asks of the system: versions of its libraries, and protections. Binaries for 2018's systems run everywhere that Node 20 does.
import { execFileSync } from "node:child_process";

/** The newest versions a binary for glibc may ask for; one for musl asks for none. */
const FLOORS = { GLIBC: "2.28", GLIBCXX: "3.4.22" };

function compare(a, b) {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  const at = left.findIndex((part, i) => part !== (right[i] ?? 0));
  return at < 0 ? 0 : left[at] - (right[at] ?? 0);
}

/**
 * Of the output of `objdump -pT`: what is newer than the C library's binary may ask for.
 * @param {string} listing
 * @param {"glibc" | "musl"} libc
 * @returns {string[]}
 */
export function tooNew(listing, libc) {
  const asked = new Set(Array.from(listing.matchAll(/\b(GLIBC|GLIBCXX)_(\d[\d.]*)/g), ([version]) => version));
  return [...asked].filter((name) => {
    const [library, version] = name.split("_");
    return libc === "musl" || compare(version, FLOORS[library]) > 0;
  });
}

/**
 * What the same output does not show of the protections that native/batchnorm.gypi asks for.
 * @param {string} listing
 * @returns {string[]}
 */
export function missingProtection(listing) {
  const flags = Number(/\bFLAGS_1\s+(0x[0-9a-f]+)/.exec(listing)?.[1] ?? 0);
  return [
    ...(flags & 1 ? [] : ["symbols bound at load (-z now)"]),
    ...(/\b__stack_chk_fail\b/.test(listing) ? [] : ["a stack protector"]),
  ];
}

/** The dynamic section and symbols: objdump reads those of every architecture's ELF. */
export const dynamicSymbols = (path) => execFileSync("objdump", ["-pT", path], { encoding: "utf8" });
