// The addon under AddressSanitizer and UndefinedBehaviorSanitizer: every kernel on every case, and bad calls at its
// entry points; then with a fault planted for each sanitizer to find. Ends with "N passed, N failed" and a status.
import { spawnSync } from "node:child_process";
import { readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildNative } from "./build-native.mjs";
import { compilePlain, copyNativeSources, installPrebuilds, repository } from "./plain.mjs";

// Of a conversion from float64 to a size, "undefined" says nothing.
const SANITIZERS = "-fsanitize=address,undefined,float-cast-overflow";
// AddressSanitizer finds what "null" and "object-size" would; without them and with line tables alone (-g1) the
// build takes half the time.
const FLAGS = `${SANITIZERS} -fno-sanitize=null,object-size -fno-sanitize-recover=all -g1 -O1`;
const COMPILER = process.env.CXX ?? "g++";

/** Planted together; each program meets its own, in a set that has no other. */
const FAULTS = [
  {
    name: "a tail read one too far",
    file: "vec/scalar.h",
    from: "return p[i]; }, n);",
    to: "return p[i]; }, n + 1);",
    program: "digest",
    set: "native/scalar",
    report: /AddressSanitizer: heap-buffer-overflow[^]*scalar\.h/,
  },
  {
    name: "a number too large for a size",
    file: "check.cc",
    from: "value >= 0 && value <= 0x1p53",
    to: "value >= 0",
    program: "bad-calls",
    set: "native/sse2",
    report: /check\.cc:\d+:\d+: runtime error: .* is outside the range of representable values/,
  },
];

const results = { passed: 0, failed: 0 };
function report(name, fault, output) {
  results[fault ? "failed" : "passed"]++;
  console.log(fault ? `${name}: ${fault}\n${output}` : `${name}: passed`);
}

/** Node itself is not instrumented: the libraries have to be there before it starts. */
function sanitizerLibraries() {
  const paths = ["libasan.so", "libubsan.so"].map((name) => {
    const { stdout } = spawnSync(COMPILER, [`-print-file-name=${name}`], { encoding: "utf8" });
    return realpathSync(stdout.trim());
  });
  return paths.join(" ");
}

const folder = compilePlain("sanitized");
installPrebuilds(repository, folder);
const { backends } = await import(pathToFileURL(join(folder, "src", "backend.js")).href);
const native = backends()
  .filter(({ name, reason }) => name.startsWith("native/") && reason === undefined)
  .map(({ name }) => name);
const root = copyNativeSources("sanitized-addon");
const preload = sanitizerLibraries();

function build() {
  const env = { ...process.env, CXX: COMPILER, CXXFLAGS: FLAGS, LDFLAGS: SANITIZERS };
  const { built, path, reason } = buildNative({ quiet: true, root, env });
  if (!built) throw new Error(reason);
  installPrebuilds(root, folder);
  return path;
}

/** Runs a program on some backends with the sanitized addon. */
function run(program, addon, names) {
  const sets = names.map((name) => name.replace("native/", ""));
  const args = program === "digest" ? [repository, native[0], ...names] : [addon, ...sets];
  // Leaks are not looked for: Node frees little at its exit.
  const env = { ...process.env, LD_PRELOAD: preload, ASAN_OPTIONS: "detect_leaks=0" };
  const path = join(folder, "test", "plain", `${program}.js`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], { env, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

const addon = build();
for (const program of ["digest", "bad-calls"]) {
  for (const name of native) {
    const { status, output } = run(program, addon, [name]);
    report(`${program}, ${name}`, status === 0 ? null : `status ${status}`, output);
  }
}

for (const { file, from, to } of FAULTS) {
  const path = join(root, "native", file);
  const parts = readFileSync(path, "utf8").split(from);
  if (parts.length !== 2) throw new Error(`${file} holds "${from}" ${parts.length - 1} times`);
  writeFileSync(path, parts.join(to));
}
const faultyAddon = build();
for (const { name, program, set, report: expected } of FAULTS) {
  const { status, output } = run(program, faultyAddon, [set]);
  report(`planted: ${name}`, status !== 0 && expected.test(output) ? null : `not found, status ${status}`, output);
}
console.log(`${results.passed} passed, ${results.failed} failed`);
process.exitCode = results.failed > 0 ? 1 : 0;
