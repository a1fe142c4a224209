// Counts the workers that a library makes, and the threads that it starts in them.

export interface Tally {
  /** Workers made. Emscripten makes some in advance, which only wait. */
  made: number;
  /** Threads started in them. */
  started: number;
}

/** Emscripten starts a thread by the message { cmd: "run", … }; minifiers give `cmd` another name. */
export function isStart(message: unknown): boolean {
  return typeof message === "object" && message !== null && Object.values(message).includes("run");
}

type Base = new (
  url: string | URL,
  options?: WorkerOptions,
) => {
  postMessage(message: unknown, transfer: Transferable[]): void;
};

/** A class in the place of Worker, which counts. */
export function countingWorker<T extends Base>(Own: T, tally: Tally): T {
  // Of a type parameter TypeScript extends no class but one that takes any arguments.
  const Any = Own as Base;
  return class extends Any {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      tally.made++;
    }
    override postMessage(message: unknown, transfer: Transferable[] = []): void {
      if (isStart(message)) tally.started++;
      super.postMessage(message, transfer);
    }
  } as T;
}

/** Workers and threads that are made while `load` runs; threads that its workers are told to start later count too. */
export async function counted<T>(load: () => Promise<T>): Promise<{ loaded: T; tally: Tally }> {
  const Own = globalThis.Worker;
  const tally = { made: 0, started: 0 };
  globalThis.Worker = countingWorker(Own, tally);
  try {
    return { loaded: await load(), tally };
  } finally {
    globalThis.Worker = Own;
  }
}
