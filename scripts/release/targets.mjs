// The binaries of a release: how each is built, and what it may ask of the system it runs on.
import { join } from "node:path";
import { TOOLS } from "./tools.mjs";

/**
 * @typedef {object} Target
 * @property {string} file Under prebuilds/.
 * @property {string} arch
 * @property {"glibc" | "musl"} libc
 * @property {string} compiler
 * @property {string} compile Flags of this compiler's alone.
 * @property {readonly string[]} inUse The backends one of which must be in use where it is run.
 */

export const ZIG = join(TOOLS, "node_modules", "@oven", "zig-linux-x64", "zig");

/** @type {readonly Target[]} */
export const TARGETS = [
  {
    file: "linux-arm64/batchnorm.glibc.node",
    arch: "arm64",
    libc: "glibc",
    compiler: "aarch64-linux-gnu-g++",
    compile: "",
    inUse: ["native/neon"],
  },
  {
    file: "linux-x64/batchnorm.glibc.node",
    arch: "x64",
    libc: "glibc",
    compiler: "g++",
    compile: "",
    inUse: ["native/avx512", "native/avx2", "native/sse2"],
  },
  {
    file: "linux-x64/batchnorm.musl.node",
    arch: "x64",
    libc: "musl",
    compiler: `${ZIG} c++ -target x86_64-linux-musl`,
    // Debugging information, the default of zig's, doubles the time. For size: Clang unrolls what is unrolled by hand.
    compile: "-g0 -Os",
    inUse: ["native/avx512", "native/avx2", "native/sse2"],
  },
];

export const ZIG_CACHE = join(TOOLS, "zig-cache");
