// Packages in which something is broken or missing: the next backend, with the reason, and never a crash.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { replaceWasm } from "../support/replace-wasm.js";
import { shown, trainingProgram, type Context, type Environment } from "./environment.js";
import { exactly, installed, trains } from "./programs.js";

const EM_AARCH64 = 183;

/** Every binary in the package, changed. */
function spoilBinaries(folder: string, change: (path: string) => void): void {
  const prebuilds = installed(folder, "prebuilds");
  const names = readdirSync(prebuilds, { recursive: true, encoding: "utf8" });
  for (const name of names) if (name.endsWith(".node")) change(join(prebuilds, name));
}

const rewrite =
  (change: (bytes: Buffer) => Buffer) =>
  (folder: string): void =>
    spoilBinaries(folder, (path) => writeFileSync(path, change(readFileSync(path))));

const replaceBy =
  (make: (path: string) => void) =>
  (folder: string): void =>
    spoilBinaries(folder, (path) => {
      rmSync(path);
      make(path);
    });

/** For another machine by its header: offset 0x12 of an ELF file. */
function forArm(bytes: Buffer): Buffer {
  bytes.writeUInt16LE(EM_AARCH64, 0x12);
  return bytes;
}

/** The module in each file that carries it, its middle overwritten. */
function corruptWasm(folder: string): void {
  replaceWasm(installed(folder, "dist"), (base64) => base64.slice(0, 5000) + "A".repeat(base64.length - 5000));
}

interface Case {
  readonly name: string;
  readonly spoil: (folder: string) => void;
  /** Default: wasm. */
  readonly backend?: "native" | "oracle";
  readonly reason?: RegExp;
  readonly flags?: readonly string[];
}

const CASES: readonly Case[] = [
  { name: "binary empty", spoil: rewrite(() => Buffer.alloc(0)), reason: /truncated|file too short/ },
  { name: "binary truncated", spoil: rewrite((bytes) => bytes.subarray(0, bytes.length / 2)), reason: /truncated/ },
  { name: "binary for arm64", spoil: rewrite(forArm), reason: /for another machine/ },
  { name: "binary of zeros", spoil: rewrite((bytes) => bytes.fill(0)), reason: /invalid ELF header|truncated/ },
  {
    name: "binary is text",
    spoil: rewrite(() => Buffer.from("not found\n")),
    reason: /truncated|invalid ELF|too short/,
  },
  { name: "binary is a folder", spoil: replaceBy((path) => mkdirSync(path)), reason: /is not a file/ },
  {
    name: "binary is a pipe",
    spoil: replaceBy((path) => void execFileSync("mkfifo", [path])),
    reason: /is not a file/,
  },
  { name: "binary is a device", spoil: replaceBy((path) => symlinkSync("/dev/zero", path)), reason: /is not a file/ },
  {
    name: "binary is a broken link",
    spoil: replaceBy((path) => symlinkSync("nowhere", path)),
    reason: /does not exist/,
  },
  { name: "no binary", spoil: replaceBy(() => undefined), reason: /does not exist/ },
  {
    name: "no folder of binaries",
    spoil: (folder) => rmSync(installed(folder, "prebuilds"), { recursive: true, force: true }),
    reason: /does not exist/,
  },
  {
    name: "all read-only",
    spoil(folder) {
      spoilBinaries(folder, (path) => chmodSync(path, 0o444));
      for (const part of ["prebuilds/linux-x64", "prebuilds", "dist", ""]) chmodSync(installed(folder, part), 0o555);
    },
    backend: "native",
  },
  { name: "WASM corrupt", spoil: corruptWasm, backend: "native", reason: /WebAssembly does not compile/ },
  {
    name: "WASM corrupt, no addons",
    spoil: corruptWasm,
    backend: "oracle",
    reason: /WebAssembly does not compile/,
    flags: ["--no-addons"],
  },
];

async function runCase(context: Context, { spoil, backend, reason, flags = [] }: Case): Promise<string> {
  const cwd = context.folder({ "import.mjs": trainingProgram("import"), "require.cjs": trainingProgram("require") });
  spoil(cwd);
  const wanted = backend === "native" ? context.native : (backend ?? "wasm");
  const expected = { backend: exactly(wanted), ...(reason && { reason }) };
  const report = await trains(context, [process.execPath, ...flags, "import.mjs"], expected, { cwd });
  // The CommonJS bundle finds its binaries in its own way.
  const bundle = [...flags, "--no-experimental-require-module", "require.cjs"];
  await trains(context, [process.execPath, ...bundle], expected, { cwd });
  return shown(report, reason);
}

export const environments: readonly Environment[] = CASES.map((one) => ({
  name: `spoilt: ${one.name}`,
  missing: ({ native }) => (native.startsWith("native/") ? null : "no addon was built"),
  run: (context) => runCase(context, one),
}));
