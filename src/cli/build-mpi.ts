// batchnorm build-mpi: compiles native/mpi/ against the system's MPI, by that MPI's own compiler command.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { packageUrl } from "../binaries.js";
import { ADDON_NAME, defaultAddonFolder, loadMpiAddon } from "../mpi/addon.js";
import { readArguments, UsageError } from "./arguments.js";
import { ExitCode } from "./usage.js";

const COMPILERS = ["mpicxx", "mpic++"];

const INSTALL_MPI = `Install an MPI with its compiler command and a C++ compiler:
  Debian, Ubuntu   apt-get install g++ openmpi-bin libopenmpi-dev    or    apt-get install g++ mpich libmpich-dev
  Fedora           dnf install gcc-c++ openmpi-devel                 or    dnf install gcc-c++ mpich-devel
  macOS            brew install open-mpi                             or    brew install mpich
--mpicxx or MPICXX names one that is not on the PATH, such as mpicxx.mpich`;

const INSTALL_HEADERS = `Install them with: npm install --save-dev node-api-headers
--include names the folder where node_api.h is`;

function runs(command: string): boolean {
  return spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;
}

function compilerOf(given: string | undefined): string {
  const named = given ?? process.env["MPICXX"];
  const candidates = named ? [named] : COMPILERS;
  const found = candidates.find(runs);
  if (found === undefined) throw new Error(`${candidates.join(" and ")} cannot be run.\n${INSTALL_MPI}`);
  return found;
}

/** The folder of the package node-api-headers, as a module in `from` would import it. */
function packagedHeaders(from: string): string[] {
  try {
    const manifest = createRequire(join(from, "index.js")).resolve("node-api-headers/package.json");
    return [join(dirname(manifest), "include")];
  } catch {
    return [];
  }
}

/** Where Node-API's headers can be: the package, Node's own, Debian's, and those that node-gyp has downloaded. */
function headerFolders(): string[] {
  const cached = `.cache/node-gyp/${process.versions.node}`;
  return [
    ...packagedHeaders(process.cwd()),
    ...packagedHeaders(fileURLToPath(packageUrl(""))),
    join(dirname(process.execPath), "..", "include", "node"),
    "/usr/include/node",
    join(homedir(), cached, "include", "node"),
  ];
}

function headersOf(given: string | undefined): string {
  const candidates = given === undefined ? headerFolders() : [resolve(given)];
  const found = candidates.find((folder) => existsSync(join(folder, "node_api.h")));
  if (found !== undefined) return found;
  throw new Error(`node_api.h was not found in ${candidates.join(", ")}.\n${INSTALL_HEADERS}`);
}

/** Node's symbols are those of the process that loads the addon. */
const OF_PLATFORM: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  darwin: ["-bundle", "-undefined", "dynamic_lookup"],
};
const SHARED = ["-shared", "-fPIC", "-Wl,-z,relro,-z,now"];

function flags(headers: string): string[] {
  return [
    ...["-std=c++17", "-O2", "-Wall", "-Wextra", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden"],
    ...["-DNAPI_VERSION=8", "-isystem", headers],
    ...(OF_PLATFORM[process.platform] ?? SHARED),
  ];
}

function compile(compiler: string, headers: string, file: string): void {
  const folder = fileURLToPath(packageUrl("native/mpi/"));
  if (!existsSync(folder)) throw new Error(`the sources are not there: ${folder}`);
  const sources = readdirSync(folder).filter((name) => name.endsWith(".cc"));
  const args = [...flags(headers), ...sources.map((name) => join(folder, name)), "-o", file];
  const { status, stdout, stderr } = spawnSync(compiler, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${compiler} failed:\n${stdout}${stderr}`);
  if (stderr.trim() !== "") process.stderr.write(stderr);
}

export function buildMpi(args: string[]): ExitCode {
  const text = { type: "string" } as const;
  const { out, mpicxx, include } = readArguments(args, { out: text, mpicxx: text, include: text });
  for (const [name, value] of Object.entries({ out, mpicxx, include }))
    if (value === "") throw new UsageError(`--${name} needs a value`);
  if (process.platform === "win32") throw new Error("build-mpi needs Linux or macOS");
  const compiler = compilerOf(mpicxx);
  const headers = headersOf(include);
  const folder = out === undefined ? defaultAddonFolder() : resolve(out);
  const file = join(folder, ADDON_NAME);
  mkdirSync(folder, { recursive: true });
  try {
    compile(compiler, headers, `${file}.new`);
    // Renamed into place: a process that has the old one loaded keeps its file.
    renameSync(`${file}.new`, file);
  } finally {
    rmSync(`${file}.new`, { force: true });
  }
  // Loading it starts no MPI.
  const { builtFor } = loadMpiAddon(file);
  process.stdout.write(`built ${file} for ${builtFor}\n`);
  if (out !== undefined) process.stdout.write(`programs find it with BATCHNORM_MPI=${folder}\n`);
  return ExitCode.good;
}
