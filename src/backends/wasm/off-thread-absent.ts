// Stands in for off-thread.ts in the build for edge workers, which have no workers of their own.
import type { OffThread } from "../off-thread/off-thread.js";

export function offThreadOf(): OffThread | null {
  return null;
}

export function whyInline(): string | null {
  return "this build, for edge workers, has no workers";
}

export function beginCallWorker(): Promise<void> {
  return Promise.resolve();
}

export function endCallWorkers(): void {
  // There are none.
}
