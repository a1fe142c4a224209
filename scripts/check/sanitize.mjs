// The addon under each of scripts/check/sanitizers.mjs: every kernel on every case, and bad calls at its entry points; then
// with faults planted for it to find. Ends with "N passed, N failed" and a status.
import { spawnSync } from "node:child_process";
import { readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildNative } from "../build/native.mjs";
import { compilePlain, copyNativeSources, installPrebuilds, repository } from "./plain.mjs";
import { SANITIZERS } from "./sanitizers.mjs";

const COMPILER = process.env.CXX ?? "g++";

/** Of what is random in the calls on every shape. */
const SEED = Number(process.env.BATCHNORM_SEED || Math.floor(Math.random() * 2 ** 31));
console.log(`BATCHNORM_SEED=${SEED}`);

const results = { passed: 0, failed: 0 };
function report(name, fault, output) {
  results[fault ? "failed" : "passed"]++;
  console.log(fault ? `${name}: ${fault}\n${output}` : `${name}: passed`);
}

const folder = compilePlain("sanitized");
installPrebuilds(repository, folder);
const { backends } = await import(pathToFileURL(join(folder, "src", "backends", "backend.js")).href);
const native = backends()
  .filter(({ name, reason }) => name.startsWith("native/") && reason === undefined)
  .map(({ name }) => name);
if (native.length === 0) throw new Error("no native backend: npm run build");

function libraryPath(name) {
  const { stdout } = spawnSync(COMPILER, [`-print-file-name=${name}`], { encoding: "utf8" });
  return realpathSync(stdout.trim());
}

/** A build of its own, put where the compiled loader looks; its path. */
function build(root, { name, compile, link }) {
  console.log(`${name}: building`);
  const env = { ...process.env, CXX: COMPILER, CXXFLAGS: compile, LDFLAGS: link };
  const { built, path, reason } = buildNative({ quiet: true, root, env });
  if (!built) throw new Error(reason);
  installPrebuilds(root, folder);
  return path;
}

/** Runs a program on some backends with the sanitized addon. */
function run(program, addon, names, { libraries, env }) {
  const sets = names.map((name) => name.replace("native/", ""));
  const arguments_ = { digest: [native[0], ...names], "every-shape": [addon, 1, SEED, ...sets] };
  const args = (arguments_[program] ?? [addon, ...sets]).map(String);
  const preload = libraries.map(libraryPath).join(" ");
  const path = join(folder, "test", "plain", `${program}.js`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], {
    env: { ...process.env, LD_PRELOAD: preload, ...env },
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  return { status, output: stdout + stderr };
}

function plant(root, { file, from, to }) {
  const path = join(root, "native", file);
  const parts = readFileSync(path, "utf8").split(from);
  if (parts.length !== 2) throw new Error(`${file} holds "${from}" ${parts.length - 1} times`);
  writeFileSync(path, parts.join(to));
}

for (const [i, sanitizer] of SANITIZERS.entries()) {
  const root = copyNativeSources(`sanitized-addon-${i}`);
  const addon = build(root, sanitizer);
  for (const program of sanitizer.programs) {
    const { status, output } = run(program, addon, native, sanitizer);
    report(`${sanitizer.name}, ${program} on ${native.join(", ")}`, status === 0 ? null : `status ${status}`, output);
    if (status === 0) console.log(output.trim());
  }
  for (const fault of sanitizer.faults) plant(root, fault);
  const faulty = build(root, sanitizer);
  for (const { name, program, set, report: expected } of sanitizer.faults) {
    const { status, output } = run(program, faulty, [set], sanitizer);
    const found = status !== 0 && expected.test(output);
    report(`${sanitizer.name}, planted: ${name}`, found ? null : `not found, status ${status}`, output);
  }
}
console.log(`${results.passed} passed, ${results.failed} failed`);
process.exitCode = results.failed > 0 ? 1 : 0;
