// Addons with a fault planted in each instruction set: one build for all, and each loads by its fault's name.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildNative } from "../../scripts/build/native.mjs";
import { loadAddon, type InstructionSets } from "./addon-kernels.js";
import { root } from "./package-copy.js";

/** The instruction set that every CPU of this architecture has. */
export const baseline = process.arch === "arm64" ? "neon" : "sse2";

export interface Fault {
  /** Also the instruction set's name. */
  readonly name: string;
  /** The file under native/ that is changed; null: none is. */
  readonly file: string | null;
  readonly from: string;
  readonly to: string;
  /** Vectors and target of the instruction set. The default is `baseline`. */
  readonly vectors?: "neon" | "sse2" | "avx2";
  readonly target?: string;
  /** What it is built for. The kernels are the same templates for both types: each takes as long to compile as the other. */
  readonly dtypes?: readonly FaultType[];
}

type FaultType = "float32" | "float64";

const TYPES = { float32: ["f32", "float", "F32"], float64: ["f64", "double", "F64"] } as const;

/** A folder that stays until the process ends: libraries are loaded from it. */
export function buildFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "batchnorm-fault-"));
  process.on("exit", () => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Replaces what must stand in the file exactly once. */
function replaceIn(path: string, from: string, to: string): void {
  const parts = readFileSync(path, "utf8").split(from);
  if (parts.length !== 2) throw new Error(`${path} holds "${from}" ${parts.length - 1} times`);
  writeFileSync(path, parts.join(to));
}

/** The kernels again under a fault's name, with its one change. */
function plant(folder: string, fault: Fault): void {
  const { name, file, from, to, vectors = baseline, target, dtypes = ["float32"] } = fault;
  const copy = join(folder, "native", name);
  for (const part of ["vec", "kernels", "coefficients.h"])
    cpSync(join(root, "native", part), join(copy, part), { recursive: true });
  if (file !== null) replaceIn(join(copy, file), from, to);
  const kernelsOf = ([space, type, vector]: (typeof TYPES)[FaultType]): string => `namespace ${space} {
using T = ${type};
using S = T;
using V = ${vector};
#include "../${name}/kernels/table.inc"
}`;
  const tables = Object.entries(TYPES).map(([dtype, [space]]) =>
    dtypes.includes(dtype as FaultType) ? `${space}::table` : "{}",
  );
  const source = `#include "../kernels.h"
#include "../target.h"
${target ? `BN_TARGET_BEGIN("${target}")` : ""}
namespace bn::${name} {
namespace {
#include "../${name}/vec/${vectors}.h"
${dtypes.map((dtype) => kernelsOf(TYPES[dtype])).join("\n")}
}
extern const Kernels kernels;
const Kernels kernels = {"${name}", ${tables.join(", ")}, nullptr, nullptr};
}
${target ? "BN_TARGET_END" : ""}
`;
  writeFileSync(join(folder, "native", "isa", `${name}.cc`), source);
}

/** Contraction is allowed in all of them: without FMA in the target there is nothing to contract to. */
function writeBuildFile(folder: string, faults: readonly Fault[]): void {
  const sources = [
    "addon.cc",
    "call.cc",
    "check.cc",
    "check_control.cc",
    "dispatch.cc",
    "later.cc",
    "machine.cc",
    "outputs.cc",
    "pages.cc",
    "pool.cc",
    "self_check/self_check.cc",
    ...faults.map(({ name }) => `isa/${name}.cc`),
  ];
  const original = readFileSync(join(root, "native", "batchnorm.gypi"), "utf8");
  const text = original
    .replace(/"sources": \[[^\]]*\]/, `"sources": [${sources.map((source) => `"${source}"`).join(", ")}]`)
    .replace(/"conditions": [^]*?\n {6}\]/, '"conditions": []')
    .replace("-ffp-contract=off", "-ffp-contract=fast");
  writeFileSync(join(folder, "native", "batchnorm.gypi"), text);
}

/** Builds an addon whose instruction sets are the faults, after `change` to the rest of the sources. */
export function buildFaulty(
  faults: readonly Fault[],
  change: Omit<Fault, "name">,
): { path: string; sets: InstructionSets } {
  const folder = buildFolder();
  for (const part of ["native", "binding.gyp", "package.json"])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  rmSync(join(folder, "native", "isa"), { recursive: true });
  mkdirSync(join(folder, "native", "isa"));
  for (const fault of faults) plant(folder, fault);
  replaceIn(join(folder, "native", change.file!), change.from, change.to);
  const declared = faults.map(({ name }) => `namespace ${name} { extern const Kernels kernels; }`);
  const listed = faults.map(({ name, target }) => {
    const check = target ? "avx2_unavailable" : "always_available";
    return `{&${name}::kernels, ${check}}`;
  });
  const dispatch = `#include "kernels.h"
#include "cpu.h"
namespace bn {
${declared.join("\n")}
const InstructionSet instruction_sets[] = {${listed.join(", ")}};
const size_t instruction_set_count = ${faults.length};
}
`;
  writeFileSync(join(folder, "native", "dispatch.cc"), dispatch);
  writeBuildFile(folder, faults);
  // Little optimization builds in half the time, to the same bits; contraction needs one that -O1 leaves out.
  const env = { ...process.env, CXXFLAGS: "-O1 -fexpensive-optimizations -w" };
  const built = buildNative({ quiet: true, root: folder, env });
  if (!built.built) throw new Error(built.reason);
  const { instructionSets } = loadAddon<{ instructionSets: InstructionSets }>(built.path);
  return { path: built.path, sets: instructionSets };
}

/** The floating-point control register, which the fixture reads and writes. */
export interface FloatMode {
  get(): number;
  set(mode: number): void;
  /** Denormals to zero, in what is read and what is written. */
  readonly flushing: number;
  /** And every result rounded towards zero. */
  readonly truncating: number;
}

/** Compiles a file of test/fixtures/, a second: an addon, a library to preload, or where it has a main, a program. */
export function buildFixture(file: string): string {
  const { include_dir: include } = createRequire(import.meta.url)("node-api-headers") as { include_dir: string };
  const path = join(buildFolder(), `${file}.node`);
  const source = join(root, "test", "fixtures", file);
  const compiler = file.endsWith(".c") ? (process.env["CC"] ?? "cc") : (process.env["CXX"] ?? "c++");
  const dynamic = process.platform === "darwin" ? ["-undefined", "dynamic_lookup"] : [];
  const kind = /\bint main\(/.test(readFileSync(source, "utf8")) ? ["-pthread"] : ["-shared", "-fPIC"];
  const standard = file.endsWith(".c") ? [] : ["-std=c++20"];
  const flags = [...kind, ...standard, "-O1", "-Wall", "-Wextra", "-Werror", ...dynamic, `-I${include}`];
  const { status, stderr } = spawnSync(compiler, [...flags, source, "-o", path], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${file} does not compile: ${stderr}`);
  return path;
}

export function buildFloatMode(): FloatMode {
  return loadAddon<FloatMode>(buildFixture("float-mode.cc"));
}
