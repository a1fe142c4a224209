// The context of a run: the package packed, folders to install it in, tools from the npm registry, processes.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { packInto } from "../../scripts/release/stage.mjs";
import * as source from "../../src/index.js";
import { Unavailable, type Context, type Result, type RunOptions } from "./environment.js";
import { told } from "./programs.js";
import { train } from "./training.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const TOOLS = join(root, "build", "environments");
const USER = '{ "name": "user", "private": true }\n';

/** Outside the repository, whose node_modules and package.json would be found from inside. */
const scratch = mkdtempSync(join(tmpdir(), "batchnorm-environments-"));
/** Leaders of the process groups that run. */
const groups = new Set<number>();

const end = (group: number): boolean => process.kill(-group, "SIGKILL");
process.on("exit", () => {
  groups.forEach(end);
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

/** What a user's shell has: nothing that npm run, Node's options or this library's variables change. */
function userEnvironment(): Record<string, string | undefined> {
  const entries = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|BATCHNORM_|VITEST)/i.test(name));
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  return { ...Object.fromEntries(entries), PATH: path.join(delimiter), NO_COLOR: "1" };
}

function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const { cwd = scratch, env = {}, timeoutMs = 120_000 } = options;
  return new Promise((resolve, reject) => {
    // A group of its own, so that what it started ends with it.
    const child = spawn(command, args, {
      cwd,
      env: { ...userEnvironment(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const { pid } = child;
    if (pid !== undefined) groups.add(pid);
    const result = { status: null as number | null, stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (result.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (result.stderr += text));
    const timer = setTimeout(() => {
      if (pid !== undefined) end(pid);
      reject(new Error(`not done after ${timeoutMs / 1000} s: ${told(command, args, result)}`));
    }, timeoutMs);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      if (pid !== undefined) groups.delete(pid);
      if (signal) result.stderr += `\nended by ${signal}\n`;
      resolve({ ...result, status });
    });
  });
}

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

function emptyFolder(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(scratch, "user-"));
  write(folder, { "package.json": USER, ...files });
  return folder;
}

export function tools(key: string, packages: readonly string[]): string {
  const folder = join(TOOLS, key);
  const wanted = packages.join(" ");
  const mark = join(folder, "installed");
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return folder;
  rmSync(folder, { recursive: true, force: true });
  write(folder, { "package.json": USER });
  // Force: some packages say that they are for another machine.
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--force", "--loglevel=error", ...packages];
  const { status, stderr, error } = spawnSync("npm", args, { cwd: folder, encoding: "utf8", env: userEnvironment() });
  if (status !== 0) throw new Unavailable(`npm install ${wanted}: ${error?.message ?? stderr.trim()}`);
  writeFileSync(mark, wanted);
  return folder;
}

/** Packs what is built. */
export function createContext(): Context {
  const { path: tarball } = packInto(scratch);
  const best = source.backends().find(({ status }) => status === "in use" || status === "available");
  return {
    tarball,
    trainingHash: train(source, { backend: "oracle" }),
    native: best?.name ?? "oracle",
    emptyFolder,
    folder(files) {
      const folder = emptyFolder(files);
      const installed = join(folder, "node_modules", "batchnorm");
      mkdirSync(installed, { recursive: true });
      execFileSync("tar", ["-xzf", tarball, "--strip-components=1", "-C", installed], { stdio: "pipe" });
      return folder;
    },
    tools,
    run,
  };
}
