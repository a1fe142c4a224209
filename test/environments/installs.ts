// Package managers: the tarball installed without network, without install scripts, and without a compiler or Python on
// the PATH, in an empty home. The native addon runs, from the binary in the tarball.
import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { trainingProgram, type Context, type Environment } from "./environment.js";
import { exactly, succeed, trains } from "./programs.js";
import { bun, node, packageManager, pnpm, type NodeLine } from "./runtimes.js";

interface Manager {
  readonly name: string;
  readonly line: NodeLine;
  /** What installs, and what runs a program. */
  commands(context: Context): { readonly install: Command; readonly run: Command };
  readonly env?: Readonly<Record<string, string>>;
}
type Command = readonly [string, ...string[]];

const npm = (version: string, line: NodeLine): Manager => ({
  name: `npm ${version.split(".")[0]} install --ignore-scripts`,
  line,
  commands(context) {
    const script = packageManager(context, "npm", version, "npm/bin/npm-cli.js");
    const options = ["--ignore-scripts", "--offline", "--no-audit", "--no-fund"];
    return { install: ["node", script, "install", ...options], run: ["node"] };
  },
});

const yarn = (linker: string): Manager => ({
  name: `yarn install, ${linker}`,
  line: "24",
  env: { YARN_NODE_LINKER: linker, YARN_ENABLE_NETWORK: "0", YARN_ENABLE_TELEMETRY: "0" },
  commands(context) {
    const script = packageManager(context, "@yarnpkg/cli-dist", "4.18.1", "@yarnpkg/cli-dist/bin/yarn.js");
    return { install: ["node", script, "install", "--no-immutable"], run: ["node", script, "node"] };
  },
});

const MANAGERS: readonly Manager[] = [
  npm("11.19.1", "20"),
  npm("12.2.0", "24"),
  yarn("pnp"),
  yarn("node-modules"),
  {
    name: "pnpm install",
    line: "22",
    commands: (context) => ({ install: [pnpm(context), "install", "--offline"], run: ["node"] }),
  },
  { name: "bun install", line: "26", commands: (context) => ({ install: [bun(context), "install"], run: ["node"] }) },
];

/** A PATH of Node and a shell alone. */
function barePath(folder: string, nodeBinary: string): string {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  symlinkSync(nodeBinary, join(bin, "node"));
  symlinkSync("/bin/sh", join(bin, "sh"));
  return bin;
}

async function install(context: Context, manager: Manager): Promise<string> {
  const { install: installing, run } = manager.commands(context);
  const cwd = context.emptyFolder({
    "package.json": '{ "name": "user", "private": true, "dependencies": { "batchnorm": "file:./batchnorm.tgz" } }',
    "yarn.lock": "",
    "import.mjs": trainingProgram("import"),
    "require.cjs": trainingProgram("require"),
  });
  copyFileSync(context.tarball, join(cwd, "batchnorm.tgz"));
  const bare = { PATH: barePath(cwd, node(context, manager.line)), HOME: join(cwd, "home"), ...manager.env };
  const options = { cwd, env: bare };
  const [command, ...args] = installing;
  await succeed(context, command, args, options);
  const expected = { backend: exactly(context.native) };
  await trains(context, [...run, "require.cjs"], expected, options);
  const { runtime } = await trains(context, [...run, "import.mjs"], expected, options);
  return `${context.native}; no compiler, no network; Node ${runtime}`;
}

export const environments: readonly Environment[] = MANAGERS.map((manager) => ({
  name: manager.name,
  run: (context) => install(context, manager),
}));
