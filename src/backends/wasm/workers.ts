// Making a worker: of Node's module where there is one, else the browser's.
import type * as NodeThreads from "node:worker_threads";
import { builtin } from "../../base/environment.js";

/** How long a worker without calls stays, in milliseconds. */
export const PATIENCE = 30_000;

/** A worker of either kind. */
export interface AnyWorker {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Whether the process waits for it to end. Browsers have no such thing. */
  keepProcess(keeps: boolean): void;
  /** Ends it at once, whatever it does. */
  end(): void;
}

/** What a worker tells: its messages, the first of which is that it has begun; or why it cannot go on. */
export interface Listener {
  heard(message: unknown): void;
  failed(reason: string): void;
  /** It has ended, by itself too. Browsers do not tell. */
  ended?(): void;
}

function nodeThreads(): typeof NodeThreads | undefined {
  try {
    return builtin("node:worker_threads");
  } catch {
    return undefined; // no such module here
  }
}

/** Without the program's own options: a loader or a hook of it would take its time in every worker. */
function nodeWorker({ Worker }: typeof NodeThreads, program: string, listener: Listener): AnyWorker {
  const worker = new Worker(program, { eval: true, execArgv: [], env: {}, name: "batchnorm" });
  worker.on("message", (message) => listener.heard(message));
  worker.on("error", ({ message }) => listener.failed(message));
  worker.on("exit", () => listener.ended?.());
  worker.unref();
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    keepProcess: (keeps) => (keeps ? worker.ref() : worker.unref()),
    end: () => void worker.terminate(),
  };
}

function browserWorker(program: string, listener: Listener): AnyWorker {
  const url = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
  const worker = new Worker(url, { name: "batchnorm" });
  worker.onmessage = ({ data }) => {
    URL.revokeObjectURL(url);
    listener.heard(data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    listener.failed(event.message || "the page's content security policy may forbid workers of a blob: URL");
  };
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    keepProcess: () => undefined,
    end: () => worker.terminate(),
  };
}

/** Whether workers can get shared memory. Pages that are not isolated may have some, but cannot send it. */
export function canSendShared(): boolean {
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  return typeof SharedArrayBuffer === "function" && crossOriginIsolated !== false;
}

/** Why there can be no workers, as far as it is seen before one is made; else null. */
export function whyNoWorkers(): string | null {
  return nodeThreads() || typeof Worker === "function" ? null : "this environment has no workers";
}

/** @throws Error whose message is the reason why there are no workers. */
export function makeWorker(program: string, listener: Listener): AnyWorker {
  const reason = whyNoWorkers();
  if (reason !== null) throw new Error(reason);
  const threads = nodeThreads();
  return threads ? nodeWorker(threads, program, listener) : browserWorker(program, listener);
}

/** A worker that has not begun by then is not waited for: some environments make workers that never run. */
const LATE_MS = 10_000;

/** Waits until workers have begun, but not for ever. Returns whether they have. The process waits too. */
export async function haveBegun(workers: readonly AnyWorker[], begun: Promise<unknown>): Promise<boolean> {
  for (const worker of workers) worker.keepProcess(true);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), LATE_MS)));
  const isThere = await Promise.race([begun.then(() => true), late]);
  clearTimeout(timer);
  for (const worker of workers) worker.keepProcess(false);
  return isThere;
}
