// How long who waits leaves the core to others.
const nothing = new Int32Array(new SharedArrayBuffer(4));

/** Blocks. */
export function sleep(ms: number): void {
  Atomics.wait(nothing, 0, 0, ms);
}

/** Up to here a gather is awaited at every turn of the event loop, which takes a core. */
const BUSY_MS = 2;
const LONGEST_MS = 10;

/**
 * Until a gather that does not block is looked at again, after `waited` ms: in 2 % of the time that it has taken already, and
 * within 10 ms. MPI moves long arrays only when it is asked.
 */
export function idle(waited: number): Promise<void> {
  if (waited < BUSY_MS) return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => setTimeout(resolve, Math.min(LONGEST_MS, waited / 50)));
}
