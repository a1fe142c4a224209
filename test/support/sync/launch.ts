// Starts ranks in worker threads and in processes. They run a bundle of the sources, since that starts in a tenth of the time.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";
import { processHub, sharedGroup, watchWorker, type ProcessHub } from "../../../src/sync.js";
import { root } from "../package-copy.js";
import { READY, type Answer, type Job } from "./rank.js";
import { folderOfTests } from "../folders.js";

const folder = folderOfTests();

let bundled: Promise<string> | null = null;

/** The bundle of rank.ts. */
function bundle(): Promise<string> {
  return (bundled ??= (async () => {
    const outfile = join(folder, "rank.mjs");
    const entryPoints = [join(root, "test", "support", "sync", "rank.ts")];
    await build({ entryPoints, outfile, bundle: true, format: "esm", platform: "node", target: "node20" });
    return outfile;
  })());
}

/** Ranks that were started. */
export interface Started {
  /** The answers of the ranks; null of one that ended without. */
  readonly answers: readonly Promise<Answer | null>[];
  /** Steps have begun on all ranks. */
  readonly ready: Promise<unknown>;
  readonly kill: (rank: number) => void;
  /** Stops a rank without ending it. Threads cannot be stopped. */
  readonly pause: (rank: number) => void;
  readonly end: () => Promise<void>;
}

interface Messages {
  on(event: "message", listener: (message: unknown) => void): unknown;
  once(event: "exit", listener: () => void): unknown;
}

/** The answers of ranks, and when all are ready or have ended. */
function listen(ranks: readonly Messages[]): Pick<Started, "answers" | "ready"> {
  const answers: Promise<Answer | null>[] = [];
  const ready = ranks.map(
    (rank) =>
      new Promise<void>((isReady) => {
        const answer = new Promise<Answer | null>((resolve) => {
          rank.on("message", (message) => (message === READY ? isReady() : resolve(message as Answer)));
          rank.once("exit", () => resolve(null));
        });
        answers.push(answer);
        void answer.then(() => isReady());
      }),
  );
  return { answers, ready: Promise.all(ready) };
}

/** The backend whose kernels start fastest. */
const ENVIRONMENT = { BATCHNORM_BACKEND: "oracle" };

export async function startWorkers(size: number, job: Job, isWatched = true, capacity?: number): Promise<Started> {
  const path = await bundle();
  const shared = sharedGroup(size, capacity === undefined ? {} : { capacity });
  const workers = Array.from({ length: size }, (_, rank) => {
    const env = { ...process.env, ...ENVIRONMENT };
    const worker = new Worker(path, { workerData: { shared, rank, job }, env, stderr: true, stdout: true });
    if (isWatched) watchWorker(shared, rank, worker);
    return worker;
  });
  for (const worker of workers) worker.on("error", () => undefined);
  return {
    ...listen(workers),
    kill: (rank) => void workers[rank]!.terminate(),
    pause: () => undefined,
    end: async () => void (await Promise.all(workers.map((worker) => worker.terminate()))),
  };
}

export async function startProcesses(size: number, job: Job): Promise<Started> {
  const path = await bundle();
  const hub: ProcessHub = await processHub(size);
  const children: ChildProcess[] = Array.from({ length: size }, (_, rank) =>
    fork(path, {
      env: { ...process.env, ...ENVIRONMENT, ...hub.environmentOf(rank), RANK_JOB: JSON.stringify(job) },
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    }),
  );
  const ends = children.map((child) => once(child, "exit"));
  return {
    ...listen(children),
    kill: (rank) => void children[rank]!.kill("SIGKILL"),
    pause: (rank) => void children[rank]!.kill("SIGSTOP"),
    async end() {
      for (const child of children) child.kill("SIGKILL");
      await Promise.all(ends);
      await hub.close();
    },
  };
}
