// deno and bun, which load Node's addons too.
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { shown, trainingProgram, Unavailable, type Context, type Environment } from "./environment.js";
import { exactly, ships, trains } from "./programs.js";
import { bun, deno, muslBun } from "./runtimes.js";

const RUNTIME = "globalThis.Deno?.version.deno ?? Bun.version";
const programs = {
  "import.mjs": trainingProgram("import", RUNTIME),
  "require.cjs": trainingProgram("require", RUNTIME),
};

async function runDeno(
  context: Context,
  allowed: readonly string[],
  backend: string,
  reason?: RegExp,
): Promise<string> {
  const cwd = context.folder(programs);
  const binary = deno(context);
  const env = { DENO_DIR: join(cwd, "cache"), DENO_NO_UPDATE_CHECK: "1" };
  const flags = ["run", "--no-prompt", ...allowed];
  const expected = { backend: exactly(backend), ...(reason && { reason }) };
  const report = await trains(context, [binary, ...flags, "import.mjs"], expected, { cwd, env });
  const read = allowed.includes("-A") ? [] : ["--allow-read"]; // to require is to read
  await trains(context, [binary, ...flags, ...read, "require.cjs"], { backend: exactly(backend) }, { cwd, env });
  return `${shown(report, reason)}; deno ${report.runtime}`;
}

async function runBun(context: Context, binary: string, env = {}, shipped = true): Promise<string> {
  const cwd = context.folder(programs);
  const expected = shipped ? { backend: exactly(context.native) } : { backend: /^wasm$/, reason: /does not exist/ };
  const report = await trains(context, [binary, "import.mjs"], expected, { cwd, env });
  await trains(context, [binary, "require.cjs"], expected, { cwd, env });
  return `${shown(report, expected.reason)}; bun ${report.runtime}`;
}

/**
 * A folder of libraries with which bun's musl build runs where the C++ library is glibc's: that library, and a small one
 * that gives what it asks of glibc and musl has not.
 */
function librariesForMusl(context: Context): string {
  const folder = join(context.folder(), "lib");
  mkdirSync(folder);
  const { stdout } = spawnSync("g++", ["-print-file-name=libstdc++.so.6"], { encoding: "utf8" });
  const source = fileURLToPath(new URL("../fixtures/beside-musl.c", import.meta.url));
  const args = ["-shared", "-fPIC", "-nostdlib", "-o", join(folder, "ld-linux-x86-64.so.2"), source];
  if (spawnSync("gcc", args).status !== 0) throw new Unavailable("no C compiler for what musl lacks");
  symlinkSync(stdout.trim(), join(folder, "libstdc++.so.6"));
  symlinkSync(stdout.trim().replace("libstdc++.so.6", "libgcc_s.so.1"), join(folder, "libgcc_s.so.1"));
  return folder;
}

async function runMuslBun(context: Context): Promise<string> {
  const binary = muslBun(context);
  const started = await context
    .run(binary, ["--version"])
    .catch((error: Error) => ({ status: 1, stderr: error.message }));
  const env = started.status === 0 ? {} : { LD_LIBRARY_PATH: librariesForMusl(context) };
  return runBun(context, binary, env, ships(context.folder(), "linux-x64/batchnorm.musl"));
}

export const environments: readonly Environment[] = [
  { name: "deno", run: (context) => runDeno(context, ["-A"], context.native) },
  {
    name: "deno --allow-ffi, no variables",
    run: (context) => runDeno(context, ["--allow-ffi", "--allow-read"], context.native),
  },
  {
    name: "deno without --allow-ffi",
    run: (context) => runDeno(context, ["--allow-read", "--allow-env"], "wasm", /Requires ffi access/),
  },
  { name: "deno without permissions", run: (context) => runDeno(context, [], "wasm", /Requires read access/) },
  { name: "bun", run: (context) => runBun(context, bun(context)) },
  { name: "bun on musl", run: runMuslBun },
];
