// examples/tfjs-cnn, as its reader gets it: beside the packed package and TensorFlow.js.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packInto } from "../../scripts/release/stage.mjs";
import { installedPackages, loadTensorflow } from "../adapters/tensorflow.js";
import { temporaryFolder } from "../support/folders.js";
import { root } from "../support/package-copy.js";

test("learns, and its saved model loads without this library", async () => {
  await loadTensorflow();
  const folder = temporaryFolder();
  cpSync(join(root, "examples", "tfjs-cnn"), folder, { recursive: true });
  const packages = join(folder, "node_modules");
  mkdirSync(packages);
  symlinkSync(join(installedPackages, "@tensorflow"), join(packages, "@tensorflow"));
  execFileSync("tar", ["-xzf", packInto(temporaryFolder()).path, "-C", packages]);
  renameSync(join(packages, "package"), join(packages, "batchnorm"));
  const printed = execFileSync(process.execPath, ["main.js"], { cwd: folder, encoding: "utf8", stdio: "pipe" });
  const number = (pattern: RegExp): number => Number(pattern.exec(printed)![1]);
  expect(printed.match(/^epoch \d: loss [\d.]+, accuracy [\d.]+$/gm)).toHaveLength(5);
  expect(number(/accuracy on new images: ([\d.]+)/)).toBeGreaterThan(0.9);
  expect(number(/by TensorFlow.js alone, predictions differ by (\S+)/)).toBeLessThan(1e-5);
  expect(printed).toContain("2 layers replaced, predictions differ by 0\n");
});
