// Builds the addon with node-gyp, from packages of the npm registry alone, into prebuilds/; the benchmark's own likewise.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { installAddon, prebuildName } from "./install-addon.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const require = createRequire(import.meta.url);

/** gyp reads this file from the headers' directory; the addon's flags are all in native/batchnorm.gypi. */
const COMMON_GYPI = `{
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': { 'Release': {}, 'Debug': {} },
  },
}
`;

/** Errors here, not where users compile with a compiler that nobody knows yet. Clang's alone: | that branches less than ||. */
const WARNINGS = "-Wall -Wextra -Werror -Wno-bitwise-instead-of-logical";

/** Node-API headers in the shape of a Node installation, so that node-gyp downloads none. */
function writeHeaders(root) {
  const nodeDir = join(root, "build", "node-api");
  const include = join(nodeDir, "include", "node");
  mkdirSync(include, { recursive: true });
  cpSync(require("node-api-headers").include_dir, include, { recursive: true });
  writeFileSync(join(include, "common.gypi"), COMMON_GYPI);
  writeFileSync(join(include, "config.gypi"), '{ "target_defaults": {}, "variables": {} }\n');
  return nodeDir;
}

/** node-gyp lets npm_config_* of the environment overrule its arguments: none of them reaches it. */
function buildEnvironment(env, compiler) {
  const entries = Object.entries(env).filter(([name]) => !/^npm_(package_)?config_/i.test(name));
  // binding.gyp asks for node-addon-api, also from a copy of the tree that has no node_modules.
  const NODE_PATH = dirname(dirname(require.resolve("node-addon-api/package.json")));
  const CXXFLAGS = compiler ? [WARNINGS, env.CXXFLAGS].filter(Boolean).join(" ") : env.CXXFLAGS;
  return { ...Object.fromEntries(entries), NODE_PATH, ...(compiler && { CXX: compiler, CXXFLAGS }) };
}

/** The architectures that native/isa/ has an instruction set for. */
const ARCHITECTURES = ["x64", "arm64"];

/** Whether it can be run; a compiler may come with arguments. */
function runs(command) {
  const [program, ...args] = command.split(" ");
  return spawnSync(program, [...args, "--version"], { stdio: "ignore" }).status === 0;
}

/** The C++ compiler to use, or why this machine cannot build. On Windows node-gyp finds its own. */
function findTools(env) {
  if (process.platform === "win32") return {};
  const compilers = env.CXX ? [env.CXX] : ["g++", "c++", "clang++"];
  const compiler = compilers.find((command) => runs(command));
  if (!compiler) return { reason: `no C++ compiler (${compilers.join(", ")}) on the PATH` };
  const missing = ["make", env.PYTHON ?? "python3"].find((command) => !runs(command));
  return missing ? { reason: `no ${missing} on the PATH` } : { compiler };
}

/**
 * Compiles the target of `<root>/binding.gyp` into build/Release/<target>.node. A missing tool is a reason, a failing
 * compiler an error.
 * @returns {{ built: true, path: string } | { built: false, reason: string }}
 */
export function compileAddon({ target, quiet, root, arch = process.arch, env = process.env }) {
  const { compiler, reason } = findTools(env);
  if (reason) return { built: false, reason };
  const nodeGyp = require.resolve("node-gyp/bin/node-gyp.js");
  const headers = `--nodedir=${writeHeaders(root)}`;
  const args = [nodeGyp, "configure", "build", headers, `--arch=${arch}`, "--jobs=2", "--loglevel=warn"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    env: buildEnvironment(env, compiler),
    encoding: "utf8",
    stdio: quiet ? "pipe" : "inherit",
  });
  if (status !== 0) throw new Error(`the native addon does not build:\n${stdout ?? ""}${stderr ?? ""}`);
  return { built: true, path: join(root, "build", "Release", `${target}.node`) };
}

/**
 * Builds the package's addon from `<root>/binding.gyp` into `<root>/prebuilds`; on an architecture without an
 * instruction set the reason is that there is none, and WASM is used. Another `arch` or `libc` needs a cross
 * compiler as CXX in `env`, where CXXFLAGS and LDFLAGS count too.
 * @param {{ quiet?: boolean, root?: string, arch?: string, libc?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {{ built: true, path: string } | { built: false, reason: string }}
 */
export function buildNative({ quiet = false, root = repository, arch = process.arch, libc, env = process.env } = {}) {
  if (!ARCHITECTURES.includes(arch)) return { built: false, reason: `no instruction set is written for ${arch}` };
  const compiled = compileAddon({ target: "batchnorm", quiet, root, arch, env });
  if (!compiled.built) return compiled;
  return { built: true, path: installAddon(compiled.path, root, prebuildName(arch, libc)) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = buildNative();
  console.log(result.built ? `native: ${result.path}` : `native: not built, ${result.reason}`);
}
