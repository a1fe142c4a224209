// Making a worker: of Node's module where there is one, else the browser's.
import type * as NodeThreads from "node:worker_threads";
import { builtin } from "../../base/environment.js";
import { WORKER_SOURCE } from "./worker-source.js";

/** A worker of either kind. */
export interface AnyWorker {
  post(message: unknown): void;
  /** Whether the process waits for it to end. Browsers have no such thing. */
  keepProcess(keeps: boolean): void;
}

/** What a worker tells: that it has begun, or why it cannot. */
export interface Listener {
  ready(): void;
  failed(reason: string): void;
}

function nodeThreads(): typeof NodeThreads | undefined {
  try {
    return builtin("node:worker_threads");
  } catch {
    return undefined; // no such module here
  }
}

/** Without the program's own options: a loader or a hook of it would take its time in every worker. */
function nodeWorker({ Worker }: typeof NodeThreads, listener: Listener): AnyWorker {
  const worker = new Worker(WORKER_SOURCE, { eval: true, execArgv: [], env: {}, name: "batchnorm" });
  worker.on("message", () => listener.ready());
  worker.on("error", ({ message }) => listener.failed(message));
  worker.unref();
  return {
    post: (message) => worker.postMessage(message),
    keepProcess: (keeps) => (keeps ? worker.ref() : worker.unref()),
  };
}

function browserWorker(listener: Listener): AnyWorker {
  if (typeof Worker !== "function") throw new Error("this environment has no workers");
  const url = URL.createObjectURL(new Blob([WORKER_SOURCE], { type: "text/javascript" }));
  const worker = new Worker(url, { name: "batchnorm" });
  worker.onmessage = () => {
    URL.revokeObjectURL(url);
    listener.ready();
  };
  worker.onerror = (event) => {
    event.preventDefault();
    listener.failed(event.message || "the page's content security policy may forbid workers of a blob: URL");
  };
  return { post: (message) => worker.postMessage(message), keepProcess: () => undefined };
}

/** @throws Error whose message is the reason why there are no workers. */
export function makeWorker(listener: Listener): AnyWorker {
  const threads = nodeThreads();
  return threads ? nodeWorker(threads, listener) : browserWorker(listener);
}
