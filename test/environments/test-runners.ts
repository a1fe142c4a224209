// Jest, as CommonJS and as ES modules, and vitest: a test that trains.
import { join } from "node:path";
import { expectReport, shown, trainingScript, type Context, type Environment } from "./environment.js";
import { exactly } from "./programs.js";

const test = (load: string, assert: string): string => `${load}
${trainingScript}
${assert}
test("trains", () => {
  const said = report(batchnorm, process.version);
  process.stderr.write("\\n" + said + "\\n");
  expect(JSON.parse(said).hash).toMatch(/^[0-9a-f]{8}$/);
});
`;
const REQUIRE = `const batchnorm = require("batchnorm");`;
const IMPORT = `import * as batchnorm from "batchnorm";`;

interface Runner {
  readonly name: string;
  readonly packages: readonly string[];
  /** Under node_modules. */
  readonly command: string;
  readonly args: readonly string[];
  readonly options?: string;
  readonly file: string;
  readonly text: string;
  readonly type: "commonjs" | "module";
}

const JEST = { packages: ["jest@30.5.2"], command: "jest/bin/jest.js", args: ["--no-cache"] };

const RUNNERS: readonly Runner[] = [
  { ...JEST, name: "Jest, CommonJS", file: "training.test.js", text: test(REQUIRE, ""), type: "commonjs" },
  {
    ...JEST,
    name: "Jest, ES modules",
    options: "--experimental-vm-modules",
    file: "training.test.js",
    text: test(IMPORT, ""),
    type: "module",
  },
  {
    name: "vitest",
    packages: ["vitest@4.1.12"],
    command: "vitest/vitest.mjs",
    args: ["run"],
    file: "training.test.js",
    text: test(IMPORT, `import { expect, test } from "vitest";`),
    type: "module",
  },
];

async function runRunner(context: Context, runner: Runner): Promise<string> {
  const { packages, command, args, options = "", file, text, type } = runner;
  const tools = context.tools(command.split("/")[0]!, packages);
  const folder = context.folder({ "package.json": JSON.stringify({ type, private: true }), [file]: text });
  const flags = options === "" ? [] : [options];
  const program = [...flags, join(tools, "node_modules", command), ...args];
  const env = { NODE_PATH: join(tools, "node_modules") };
  const { status, stdout, stderr } = await context.run(process.execPath, program, { cwd: folder, env });
  if (status !== 0) throw new Error(`status ${status}: ${stdout}${stderr}`);
  const expected = { backend: exactly(context.native), hash: context.trainingHash };
  return shown(expectReport(stdout + stderr, expected));
}

export const environments: readonly Environment[] = RUNNERS.map((runner) => ({
  name: runner.name,
  run: (context) => runRunner(context, runner),
}));
