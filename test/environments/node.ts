// Node of every supported line: import and require give the same instance and the same bits.
import { succeed } from "./context.js";
import { expectReport, trainingProgram, type Context, type Environment } from "./environment.js";
import { node, NODES, type NodeLine } from "./runtimes.js";

/** Two instances would hold two pools of threads, and know nothing of each other's tensors. */
const SAME = `
const required = require("batchnorm");
import("batchnorm").then((imported) => console.log(required.BatchNorm === imported.BatchNorm));
`;

async function runNode(context: Context, line: NodeLine): Promise<string> {
  const binary = node(context, line);
  const cwd = context.folder({
    "import.mjs": trainingProgram("import"),
    "require.cjs": trainingProgram("require"),
    "same.cjs": SAME,
  });
  const expected = { backend: new RegExp(`^${context.native}$`), hash: context.trainingHash };
  const { runtime } = expectReport(await succeed(context, binary, ["import.mjs"], { cwd }), expected);
  expectReport(await succeed(context, binary, ["require.cjs"], { cwd }), expected);
  const same = await succeed(context, binary, ["same.cjs"], { cwd });
  if (same.trim() !== "true") throw new Error("import and require give two instances");
  return `${context.native} by import and by require, one instance (${runtime})`;
}

export const environments: readonly Environment[] = (Object.keys(NODES) as NodeLine[]).map((line) => ({
  name: `Node ${line}`,
  run: (context) => runNode(context, line),
}));
