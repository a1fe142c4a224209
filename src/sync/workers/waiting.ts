// Waiting for a place in shared memory to change: by blocking the thread, or without.

/** A place, and the value that it must no longer have. */
export type Wait =
  | { readonly array: Int32Array; readonly index: number; readonly value: number }
  | { readonly array: BigInt64Array; readonly index: number; readonly value: bigint };

/**
 * How long one wait lasts, in milliseconds. Then the waiting thread looks whether the other has ended: its notice may have come
 * between the look and the wait.
 */
const SLICE = 20;

/** @throws TypeError where the engine does not let this thread block, as on the main thread of a page. */
export function block({ array, index, value }: Wait, milliseconds: number): void {
  const time = Math.min(SLICE, milliseconds);
  if (array instanceof Int32Array) Atomics.wait(array, index, value as number, time);
  else Atomics.wait(array, index, value as bigint, time);
}

type WaitAsync = (
  array: Int32Array | BigInt64Array,
  index: number,
  value: number | bigint,
  timeout: number,
) => { readonly value: string | Promise<string> };

/** How often to look where the engine cannot tell: Firefox before 145. */
const POLL = 1;

function sleep(milliseconds: number): { readonly ended: Promise<void>; readonly stop: () => void } {
  let stop: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    stop = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  return { ended, stop };
}

/** Waits without blocking. The timer keeps Node running, which a pending wait does not. */
export async function pause({ array, index, value }: Wait, milliseconds: number): Promise<void> {
  const { waitAsync } = Atomics as unknown as { waitAsync?: WaitAsync };
  const timer = sleep(Math.min(waitAsync ? SLICE : POLL, milliseconds));
  if (!waitAsync) return timer.ended;
  const changed = waitAsync(array, index, value, SLICE).value;
  if (changed instanceof Promise) await Promise.race([changed, timer.ended]);
  timer.stop();
}
