// A worker's way to the thread that made it, in Node and in browsers.

interface Port {
  onmessage: ((event: { readonly data: never }) => void) | null;
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  close(): void;
}

const threads = (globalThis as { process?: Partial<NodeJS.Process> }).process?.getBuiltinModule?.(
  "node:worker_threads",
);

export const port = (threads?.parentPort ?? globalThis) as unknown as Port;
