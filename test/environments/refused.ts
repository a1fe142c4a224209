// Runtimes that refuse something: addons, files, WebAssembly, environment variables. The next backend, and the reason.
import { join } from "node:path";
import {
  shown,
  trainingProgram,
  trainingScript,
  type Context,
  type Environment,
  type Expected,
} from "./environment.js";
import { exactly, installed, trains } from "./programs.js";
import { LINES, node, type NodeLine } from "./runtimes.js";

const WITHOUT_ADDONS = { backend: /^wasm$/, reason: /loading addons is disabled/ };

/** A program to which reading variables is refused while it trains, as some sandboxes do. */
const withoutVariables = (definition: string): string =>
  `import * as batchnorm from "batchnorm";
   ${trainingScript}
   const { env } = process; // Node's own loader and console read some
   Object.defineProperty(process, "env", { configurable: true, ...${definition} });
   const line = report(batchnorm, process.version);
   Object.defineProperty(process, "env", { value: env });
   console.log(line);`;
const REFUSE = `() => { throw new Error("refused"); }`;

const PROGRAMS = {
  "program.mjs": trainingProgram(),
  "getter.mjs": withoutVariables(`{ get: ${REFUSE} }`),
  "proxy.mjs": withoutVariables(`{ value: new Proxy({}, { get: ${REFUSE} }) }`),
};

/** The training in every line of Node with these arguments; what the last one showed. */
async function inEveryNode(
  context: Context,
  flags: (line: NodeLine, folder: string) => readonly string[],
  expected: Omit<Expected, "hash">,
  program = "program.mjs",
): Promise<string> {
  const cwd = context.folder(PROGRAMS);
  let last = "";
  for (const line of LINES) {
    const report = await trains(context, [node(context, line), ...flags(line, cwd), program], expected, { cwd });
    last = shown(report, expected.reason);
  }
  return `${last}; Node ${LINES.join(", ")}`;
}

const permission = (line: NodeLine): string => (line === "20" ? "--experimental-permission" : "--permission");

/** All that the program needs but the binaries. */
const withoutPrebuilds = (line: NodeLine, folder: string): string[] => [
  permission(line),
  ...(line === "20" ? [] : ["--allow-addons"]),
  ...["dist/*", "package.json"].map((part) => `--allow-fs-read=${installed(folder, part)}`),
  ...["program.mjs", "package.json"].map((name) => `--allow-fs-read=${join(folder, name)}`),
];

export const environments: readonly Environment[] = [
  {
    name: "Node --no-addons",
    run: (context) => inEveryNode(context, () => ["--no-addons"], WITHOUT_ADDONS),
  },
  {
    name: "Node --permission",
    run: (context) => inEveryNode(context, (line) => [permission(line), "--allow-fs-read=*"], WITHOUT_ADDONS),
  },
  {
    name: "Node --permission, binaries not readable",
    run: (context) =>
      inEveryNode(context, withoutPrebuilds, { backend: /^wasm$/, reason: /Access to this API has been restricted/ }),
  },
  {
    name: "Node --jitless",
    run: (context) => {
      const reason = /has no WebAssembly/;
      return inEveryNode(context, () => ["--jitless"], { backend: exactly(context.native), reason });
    },
  },
  {
    name: "Node --jitless --no-addons",
    run: (context) => {
      const reason = /has no WebAssembly/;
      return inEveryNode(context, () => ["--jitless", "--no-addons"], { backend: /^oracle$/, reason });
    },
  },
  {
    name: "Node --frozen-intrinsics",
    run: (context) => inEveryNode(context, () => ["--frozen-intrinsics"], { backend: exactly(context.native) }),
  },
  {
    name: "process.env that throws",
    async run(context) {
      const expected = { backend: exactly(context.native) };
      await inEveryNode(context, () => [], expected, "getter.mjs");
      return inEveryNode(context, () => [], expected, "proxy.mjs");
    },
  },
];
