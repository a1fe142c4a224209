// What to do about a reason that a backend is not there: one line for each kind of reason.
import type { BackendStatus } from "../backends/backend.js";
import { REINSTALL } from "../backends/native/native.js";

export interface Advice {
  readonly about: string;
  readonly text: string;
  /** Something is wrong, rather than not there: the command fails. */
  readonly isFault: boolean;
}

type Rule = readonly [reason: RegExp, about: string, text: string, isFault?: "fault"];

/** What the loader finds wrong in the headers and tables of a binary: the words are those of glibc and of Node. */
const DAMAGED = new RegExp(
  [
    "is truncated|is not a file|is not this library's addon|did not self-register|file too short|cannot read file data",
    "invalid ELF header|: ELF (file|load command)|no (loadable segments|dynamic section)|only ET_DYN",
    "cannot dynamically load|Verneed|Verdef|unexpected reloc|cannot handle TLS data|shared object: Invalid argument",
  ].join("|"),
);

/** The first that matches counts: loaders' messages differ between runtimes and C libraries. */
const RULES: readonly Rule[] = [
  [
    /^no binary for/,
    "there is no native binary here",
    "build one from the package's sources, or copy prebuilds/ with the package (docs/troubleshooting.md)",
  ],
  [
    /is for another machine|wrong ELF class|Exec format error|incompatible architecture/,
    "the native binary is for another machine",
    "install the package again on this one: npm install batchnorm --force",
    "fault",
  ],
  [DAMAGED, "the native binary is damaged", "install the package again: npm install batchnorm --force", "fault"],
  [
    /^EACCES/,
    "the native binary cannot be read",
    "let this user read the file that the reason names: chmod a+r",
    "fault",
  ],
  [
    /cannot open shared object file|Error loading shared library/,
    "a library that the native binary needs is missing",
    "install the library that the reason names (libstdc++ and libgcc are packages of their own)",
  ],
  [
    /GLIBC/,
    "this system is older than the native binary's glibc",
    "build one from the package's sources (docs/building-from-source.md)",
  ],
  [
    /addons is disabled|ERR_DLOPEN_DISABLED|allow-addons|allow-ffi|access to|permission/i,
    "this process may not load addons",
    "leave --no-addons out, add --allow-addons to --permission, or in Deno --allow-ffi --allow-read",
  ],
  [
    /compiling WebAssembly is forbidden/,
    "this process may not compile WebAssembly",
    "add 'wasm-unsafe-eval' to the CSP's script-src; on the edge, hand the module to createBackend",
  ],
  [/no WebAssembly/, "this engine has no WebAssembly", "leave --jitless out, or use an engine that has it"],
  [
    /SIMD is needed/,
    "this engine's WebAssembly has no SIMD",
    "use a newer engine: SIMD came in 2021, to Safari in 2023",
  ],
  [
    /could not allocate memory|allocation failed|out of memory/i,
    "this process may not have the memory that a backend needs",
    "allow it more; a memory of WebAssembly takes some 10 GB of addresses in V8 (ulimit -v)",
  ],
];

/** What this CPU or platform does not have: nothing to be done. */
const NATURAL = /^this CPU has no|^this binary, for \w+, has no|^not running in Node/;

const REJECTED = "please report it, with the output of npx batchnorm doctor --verify; the next backend is used";

/** What runs in the place of what is not there. */
function usedInstead(backends: readonly BackendStatus[]): string {
  const name = backends.find(({ status }) => status === "in use")?.name;
  if (name === undefined) return "";
  const what = name === "wasm" ? "WebAssembly" : name === "oracle" ? "plain JavaScript" : "native code";
  return `${what} is used; `;
}

function adviceFor({ name, status, reason }: BackendStatus, instead: string): Advice | null {
  if (reason === undefined || NATURAL.test(reason)) return null;
  // What is wrong with the file is said once, by itself.
  if (reason.endsWith(REINSTALL)) return null;
  if (status === "rejected") return { about: `${name} computes wrong bits`, text: REJECTED, isFault: true };
  const rule = RULES.find(([pattern]) => pattern.test(reason));
  if (!rule) return { about: reason, text: "please report it: this reason is not known", isFault: false };
  return { about: rule[1], text: `${instead}${rule[2]}`, isFault: rule[3] === "fault" };
}

/** Each advice once, however many backends it is about. */
export function adviceOn(backends: readonly BackendStatus[]): Advice[] {
  const instead = usedInstead(backends);
  const found = backends.map((backend) => adviceFor(backend, instead)).filter((advice) => advice !== null);
  return [...new Map(found.map((advice) => [advice.about, advice])).values()];
}

/** Nothing but the oracle can run: whoever does not look would think that the library is as slow as that. */
export function isPlain(backends: readonly BackendStatus[]): boolean {
  return backends.every(({ name, status }) => name === "oracle" || status === "unavailable" || status === "rejected");
}

/** The advice that this needs, with how slow it is. */
export function plainAdvice(ratio: number): Advice {
  const text = `a forward takes ${Math.round(ratio)} times as long as copying its tensor, and native code and WebAssembly a few times; do one of the following`;
  return { about: "nothing but plain JavaScript can run here", text, isFault: true };
}
