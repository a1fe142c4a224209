// The first call of a task, whose result is compared with ours before it is timed.
import { checkResult } from "./check.js";
import type { Result, Task } from "./peer.js";

/** Its first line. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
}

/** Its time and how far its result is off, or why it is not to be timed. */
export async function firstCall(
  task: Task,
  expected: Result,
  tolerance: number,
): Promise<{ firstMs: number; error: number } | string> {
  try {
    const firstMs = await task.sample(1);
    const { error, wrong } = checkResult(await task.result(), expected, tolerance);
    return wrong ?? { firstMs, error };
  } catch (error) {
    return reasonOf(error);
  }
}

export async function resultOf(reference: Task | string | undefined): Promise<Result> {
  if (typeof reference !== "object") throw new Error(`no reference: ${reference}`);
  await reference.sample(1);
  return reference.result();
}
