// Open MPI over several hosts, by its own launcher: the bits and the time of one host, and a link that is taken down in the
// middle of a gather.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Context, Environment } from "./environment.js";
import { createNetwork, forbiddenNetwork, type Network } from "./namespaces.js";
import { installed, succeed, told } from "./programs.js";

/** Rank 0 prints the median time of a layer's forward and backward, and a hash of all that they gave. */
const STEPS = `
import { createHash } from "node:crypto";
import { SyncBatchNorm } from "batchnorm/sync";
import { mpiGroup } from "batchnorm/mpi";
const group = mpiGroup({ timeout: 20_000 });
const bn = new SyncBatchNorm(64, { group, threads: 1 });
const hash = createHash("sha256");
const times = [];
for (let i = 0; i < 200; i++) {
  const x = Float32Array.from({ length: 8 * 64 * 49 }, (_, k) => ((k * (group.rank + i + 1)) % 97) / 7);
  const start = performance.now();
  const y = bn.forward(x, [8, 64, 7, 7]);
  const { gradInput } = bn.backward(y);
  times.push(performance.now() - start);
  hash.update(y).update(gradInput).update(bn.runningVar);
}
times.sort((a, b) => a - b);
const { size } = group;
if (group.rank === 0) console.log(JSON.stringify({ size, ms: times[100], hash: hash.digest("hex") }));
`;

/** Gathers until it is told of a fault, which it writes into a file. */
const ENDLESS = `
import { writeFileSync } from "node:fs";
import { mpiGroup } from "batchnorm/mpi";
const group = mpiGroup({ timeout: Number(process.argv[2]) });
let start = 0;
try {
  for (let i = 0; ; i++) {
    start = performance.now();
    group.allGather(new Float64Array(i % 2 ? 100 : 50_000).fill(group.rank));
    if (i === 100) writeFileSync("running-" + group.rank, "");
  }
} catch ({ code, message, ranks }) {
  const ms = performance.now() - start;
  writeFileSync("told-" + group.rank, JSON.stringify({ code, message, ranks, ms }));
  process.exitCode = 1;
}
`;

const COMMON = "--allow-run-as-root --oversubscribe --bind-to none";

/** The command on the first host, which starts a rank on each. */
function launchCommand({ hosts, range, agent }: Network, folder: string, program: string): string {
  const list = hosts.map((host) => `${host}:1`).join(",");
  const network = `--mca btl tcp,self --mca btl_tcp_if_include ${range} --mca oob_tcp_if_include ${range}`;
  const rsh = `--mca plm_rsh_agent ${agent} --mca plm_rsh_no_tree_spawn 1`;
  return `mpirun.openmpi ${COMMON} ${rsh} ${network} -H ${list} -n ${hosts.length} --wdir ${folder} ${process.execPath} ${program}`;
}

async function built(context: Context, files: Readonly<Record<string, string>>): Promise<string> {
  const cwd = context.folder(files);
  const headers = join(process.cwd(), "node_modules", "node-api-headers", "include");
  const command = [installed(cwd, "dist", "cli.js"), "build-mpi", "--mpicxx", "mpicxx.openmpi", "--include", headers];
  await succeed(context, process.execPath, command, { cwd });
  return cwd;
}

interface Steps {
  readonly size: number;
  readonly ms: number;
  readonly hash: string;
}

const readSteps = (stdout: string): Steps => JSON.parse(stdout.slice(stdout.indexOf("{"))) as Steps;

async function withNetwork<T>(
  context: Context,
  count: number,
  folder: string,
  use: (network: Network) => Promise<T>,
): Promise<T> {
  const network = await createNetwork(context, count, folder);
  try {
    return await use(network);
  } finally {
    await network.remove();
  }
}

async function runHosts(context: Context, count: number): Promise<string> {
  const folder = await built(context, { "steps.mjs": STEPS });
  const words = `${COMMON} -n ${count} ${process.execPath} steps.mjs`.split(" ");
  const one = readSteps(await succeed(context, "mpirun.openmpi", words, { cwd: folder }));
  const several = await withNetwork(context, count, folder, async (network) => {
    const [command, args] = network.on(network.hosts[0]!, launchCommand(network, folder, "steps.mjs"));
    return readSteps(await succeed(context, command, args, { cwd: folder }));
  });
  if (several.size !== count || several.hash !== one.hash)
    throw new Error(`${JSON.stringify(several)} is not ${JSON.stringify(one)}`);
  const [ms, there] = [several.ms.toFixed(2), one.ms.toFixed(2)];
  return `${count} ranks compute the same bits; ${ms} ms a step, ${there} ms on one host`;
}

const LIMIT_MS = 3000;

async function until(what: string, seconds: number, holds: () => boolean): Promise<void> {
  for (let i = 0; i < seconds * 20; i++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not within ${seconds} s`);
}

interface Told {
  readonly code: string;
  readonly message: string;
  readonly ms: number;
}

async function runLinkDown(context: Context): Promise<string> {
  const folder = await built(context, { "endless.mjs": ENDLESS });
  const there = (kind: string): boolean => [0, 1].every((rank) => existsSync(join(folder, `${kind}-${rank}`)));
  return withNetwork(context, 2, folder, async (network) => {
    const [command, args] = network.on(network.hosts[0]!, launchCommand(network, folder, `endless.mjs ${LIMIT_MS}`));
    const child = spawn(command, args, { cwd: folder, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const output = { status: null, stdout: "", stderr: "" };
    child.stdout.on("data", (text) => (output.stdout += String(text)));
    child.stderr.on("data", (text) => (output.stderr += String(text)));
    const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
    try {
      await until("both ranks run", 30, () => there("running"));
      await network.setLink(network.hosts[1]!, "down");
      await until("both ranks are told", (2 * LIMIT_MS) / 1000, () => there("told"));
      const faults = [0, 1].map((rank) => JSON.parse(readFileSync(join(folder, `told-${rank}`), "utf8")) as Told);
      for (const fault of faults) {
        if (fault.code !== "ERR_BATCHNORM_GROUP" || fault.ms > LIMIT_MS + 1000) throw new Error(JSON.stringify(fault));
      }
      await network.setLink(network.hosts[1]!, "up");
      const late = setTimeout(() => process.kill(-child.pid!, "SIGKILL"), 20_000);
      await ended;
      clearTimeout(late);
      return faults.map(({ message, ms }) => `after ${Math.round(ms)} ms: ${message}`).join("; ");
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${told(command, args, output)}`, { cause: error });
    } finally {
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, "SIGKILL");
    }
  });
}

const missing = (): string | null =>
  existsSync("/usr/bin/mpicxx.openmpi") ? null : "no Open MPI: apt-get install openmpi-bin libopenmpi-dev";

const each = { missing, forbidden: forbiddenNetwork };

export const environments: readonly Environment[] = [
  ...[2, 4].map((count) => ({
    ...each,
    name: `MPI over ${count} hosts`,
    run: (context: Context) => runHosts(context, count),
  })),
  { ...each, name: "MPI, a link taken down", run: runLinkDown },
];
