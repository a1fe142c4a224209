// What to do about a reason that a backend is not there: one line for each kind of reason.
import type { BackendStatus } from "../backends/backend.js";

export interface Advice {
  readonly about: string;
  readonly text: string;
  /** Something is wrong, rather than not there: the command fails. */
  readonly isFault: boolean;
}

type Rule = readonly [reason: RegExp, about: string, text: string, isFault?: "fault"];

/** The first that matches counts: loaders' messages differ between runtimes and C libraries. */
const RULES: readonly Rule[] = [
  [
    /^no binary for/,
    "there is no native binary here",
    "WebAssembly is used; build one from the package's sources, or copy prebuilds/ with the package (docs/troubleshooting.md)",
  ],
  [
    /is truncated|invalid ELF header|file too short|is not this library's addon|wrong ELF class|cannot read file data|is not a file/,
    "the native binary is damaged",
    "install the package again: npm install batchnorm --force",
    "fault",
  ],
  [
    /cannot open shared object file|Error loading shared library/,
    "a library that the native binary needs is missing",
    "WebAssembly is used; install the library that the reason names (libstdc++ and libgcc are packages of their own)",
  ],
  [
    /GLIBC/,
    "this system is older than the native binary's glibc",
    "WebAssembly is used; build one from the package's sources (docs/building-from-source.md)",
  ],
  [
    /addons is disabled|ERR_DLOPEN_DISABLED|allow-addons|allow-ffi|access to|permission/i,
    "this process may not load addons",
    "WebAssembly is used; leave --no-addons out, add --allow-addons to --permission, or in Deno --allow-ffi --allow-read",
  ],
  [
    /compiling WebAssembly is forbidden/,
    "this process may not compile WebAssembly",
    "add 'wasm-unsafe-eval' to the CSP's script-src; on the edge, hand the module to createBackend",
  ],
  [
    /no WebAssembly/,
    "this engine has no WebAssembly",
    "leave --jitless out; without WebAssembly and native code everything runs in plain JavaScript, 10 times slower",
  ],
  [
    /SIMD is needed/,
    "this engine's WebAssembly has no SIMD",
    "use a newer engine: SIMD came in 2021, to Safari in 2023",
  ],
];

/** What this CPU or platform does not have: nothing to be done. */
const NATURAL = /^this CPU has no|^this binary, for \w+, has no|^not running in Node/;

const REJECTED = "please report it, with the output of npx batchnorm doctor --verify; the next backend is used";

function adviceFor({ name, status, reason }: BackendStatus): Advice | null {
  if (reason === undefined || NATURAL.test(reason)) return null;
  // What is wrong with the file is said once, by itself.
  if (reason.includes("its checksum differs from the published one")) return null;
  if (status === "rejected") return { about: `${name} computes wrong bits`, text: REJECTED, isFault: true };
  const rule = RULES.find(([pattern]) => pattern.test(reason));
  if (!rule) return { about: reason, text: "please report it: this reason is not known", isFault: false };
  return { about: rule[1], text: rule[2], isFault: rule[3] === "fault" };
}

/** Each advice once, however many backends it is about. */
export function adviceOn(backends: readonly BackendStatus[]): Advice[] {
  const found = backends.map(adviceFor).filter((advice) => advice !== null);
  return [...new Map(found.map((advice) => [advice.about, advice])).values()];
}
