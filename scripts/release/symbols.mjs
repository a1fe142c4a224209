// Which versions of the system's libraries a binary asks for. Binaries for 2018's systems run everywhere that Node 20 does.
import { execFileSync } from "node:child_process";

/** The newest versions a binary for glibc may ask for; one for musl asks for none. */
const FLOORS = { GLIBC: "2.28", GLIBCXX: "3.4.22" };

function compare(a, b) {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  const at = left.findIndex((part, i) => part !== (right[i] ?? 0));
  return at < 0 ? 0 : left[at] - (right[at] ?? 0);
}

/**
 * Of the output of `objdump -T`: what is newer than the C library's binary may ask for.
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

/** objdump reads the dynamic symbols of every architecture's ELF. */
export const dynamicSymbols = (path) => execFileSync("objdump", ["-T", path], { encoding: "utf8" });
