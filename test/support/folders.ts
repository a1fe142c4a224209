// Folders for what tests write, outside of the repository.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, onTestFinished } from "vitest";

const make = (): string => mkdtempSync(join(tmpdir(), "batchnorm-"));

/** Removes a folder, also while a process that is about to end still writes to it. */
function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 20 });
}

/** A folder that goes away with the test. */
export function temporaryFolder(): string {
  const folder = make();
  onTestFinished(() => removeFolder(folder));
  return folder;
}

/** A folder that goes away with the tests of the file or suite in which it is made. */
export function folderOfTests(): string {
  const folder = make();
  afterAll(() => removeFolder(folder));
  return folder;
}
