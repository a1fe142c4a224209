// Node of every supported line: import and require give the same instance and the same bits.
import { trainingProgram, type Context, type Environment } from "./environment.js";
import { exactly, succeed, trains } from "./programs.js";
import { LINES, node, type NodeLine } from "./runtimes.js";

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
  const expected = { backend: exactly(context.native) };
  const { runtime } = await trains(context, [binary, "import.mjs"], expected, { cwd });
  await trains(context, [binary, "require.cjs"], expected, { cwd });
  if ((await succeed(context, binary, ["same.cjs"], { cwd })).trim() !== "true") {
    throw new Error("import and require give two instances");
  }
  // Loaders that know no module-sync: the CommonJS bundle.
  await trains(context, [binary, "--no-experimental-require-module", "require.cjs"], expected, { cwd });
  return `${context.native} by import and by require, one instance; by the CommonJS bundle (${runtime})`;
}

export const environments: readonly Environment[] = LINES.map((line) => ({
  name: `Node ${line}`,
  run: (context) => runNode(context, line),
}));
