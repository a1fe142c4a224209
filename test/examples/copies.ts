// Folders of examples/ that are to be copied, as their readers get them: beside the packed package.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { beforeAll } from "vitest";
import { packInto } from "../../scripts/release/stage.mjs";
import { root } from "../support/package-copy.js";
import { folderOfTests } from "../support/folders.js";

const scratch = folderOfTests();
let packed = "";
beforeAll(() => {
  packed = packInto(scratch).path;
});

/** A copy of a folder, with the package. A second one of the same folder needs a name of its own. */
export function copyOf(example: string, name = example): string {
  const folder = join(scratch, name);
  cpSync(join(root, "examples", example), folder, { recursive: true });
  const packages = join(folder, "node_modules");
  mkdirSync(packages);
  execFileSync("tar", ["-xzf", packed, "-C", packages]);
  renameSync(join(packages, "package"), join(packages, "batchnorm"));
  return folder;
}

export const run = (folder: string, file: string): string =>
  execFileSync(process.execPath, [file], { cwd: folder, encoding: "utf8", stdio: "pipe" });
