// The MPIs of this machine, as Debian names their commands, and how a test has ranks started by each.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { cli } from "../support/cli.js";
import { root } from "../support/package-copy.js";
import { folderOfTests } from "../support/folders.js";

export interface Mpi {
  readonly name: string;
  readonly compiler: string;
  readonly launcher: string;
  /** Of the launcher, for ranks of root on fewer cores. */
  readonly flags: readonly string[];
  /** The launcher leaves the other ranks alone when one of them ends. */
  readonly survive: readonly string[];
  /** Why it cannot be tested, or null. */
  readonly missing: string | null;
}

/** `BATCHNORM_REQUIRE=mpi`: an MPI that is missing fails instead of being skipped. */
const isRequired = (process.env["BATCHNORM_REQUIRE"] ?? "").split(",").includes("mpi");

function missing(compiler: string, launcher: string, packages: string): string | null {
  const absent = [compiler, launcher].filter((command) => spawnSync(command, ["--version"]).status !== 0);
  return absent.length === 0 || isRequired ? null : `no ${absent.join(", no ")}: apt-get install ${packages}`;
}

/** It binds ranks to cores, and says so where it may not run as root or finds fewer cores than ranks. */
const OPEN_MPI = ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none"];

export const MPIS: readonly Mpi[] = [
  {
    name: "Open MPI",
    compiler: "mpicxx.openmpi",
    launcher: "mpirun.openmpi",
    flags: OPEN_MPI,
    survive: ["--enable-recovery"],
    missing: missing("mpicxx.openmpi", "mpirun.openmpi", "openmpi-bin libopenmpi-dev"),
  },
  {
    name: "MPICH",
    compiler: "mpicxx.mpich",
    launcher: "mpirun.mpich",
    flags: [],
    survive: ["-disable-auto-cleanup"],
    missing: missing("mpicxx.mpich", "mpirun.mpich", "mpich libmpich-dev"),
  },
];

const scratch = folderOfTests();

/** A folder that goes away with the file's tests. */
export const scratchFolder = (): string => mkdtempSync(join(scratch, "run-"));

/** The addon for an MPI, built by the command that users have; its folder. */
export function buildAddon({ compiler }: Mpi): string {
  const folder = scratchFolder();
  const { status, stdout, stderr } = cli(["build-mpi", "--out", folder, "--mpicxx", compiler]);
  if (status !== 0 || stderr !== "") throw new Error(`build-mpi: status ${status}\n${stdout}${stderr}`);
  return folder;
}

/** A program of this folder with all that it imports, in one file that starts at once. */
export function bundleProgram(name: string): string {
  const outfile = join(scratch, `${name}.mjs`);
  buildSync({
    entryPoints: [join(root, "test", "mpi", `${name}.ts`)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "es2022",
    alias: { batchnorm: join(root, "src", "index.ts"), "batchnorm/sync": join(root, "src", "sync.ts") },
  });
  return outfile;
}

export interface Launch {
  readonly mpi: Mpi;
  readonly addon: string;
  readonly ranks: number;
  readonly program: string;
  readonly args?: readonly (string | number)[];
  readonly flags?: readonly string[];
  /** When the launcher has not ended, it hangs. */
  readonly timeoutMs?: number;
}

export interface Launched<T> {
  readonly status: number | null;
  readonly output: string;
  /** Whether the launcher had to be ended. */
  readonly hung: boolean;
  /** What each rank wrote; undefined for one that wrote nothing. */
  readonly results: readonly (T | undefined)[];
}

/** What the ranks wrote into a folder, as rank-N.json. */
function resultsIn<T>(folder: string, ranks: number): (T | undefined)[] {
  const names = readdirSync(folder);
  return Array.from({ length: ranks }, (_, rank) => {
    const name = `rank-${rank}.json`;
    return names.includes(name) ? (JSON.parse(readFileSync(join(folder, name), "utf8")) as T) : undefined;
  });
}

/**
 * UCX, over which Debian's MPICH sends, warns at the end of a message that nobody received. On a busy machine there may be one: a
 * rank that has waited long tells the others, and they may end without asking.
 */
const QUIET_UCX = { UCX_LOG_LEVEL: "error" };

/** Runs `program folder …args` on so many ranks. */
export function launch<T>(options: Launch): Promise<Launched<T>> {
  const { mpi, addon, ranks, program, args = [], flags = [], timeoutMs = 60_000 } = options;
  const folder = scratchFolder();
  const words = [...mpi.flags, ...flags, "-n", `${ranks}`, process.execPath, program, folder, ...args.map(String)];
  const child = spawn(mpi.launcher, words, {
    env: { ...process.env, ...QUIET_UCX, BATCHNORM_MPI: addon, NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    let hung = false;
    const timer = setTimeout(() => {
      hung = true;
      process.kill(-child.pid!, "SIGKILL");
    }, timeoutMs);
    child.on("error", reject);
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ status, output, hung, results: resultsIn<T>(folder, ranks) });
    });
  });
}
