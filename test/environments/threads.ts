// Several environments in one process, and several processes: worker threads, also ended in the middle of a call, forks,
// and realms of node:vm.
import { expectReport, trainingProgram, trainingScript, type Context, type Environment } from "./environment.js";
import { exactly, succeed } from "./programs.js";
import { LINES, node } from "./runtimes.js";

/** Eight at once, each with its own copy of the addon's state, and the main thread among them. */
const WORKERS = `
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import * as batchnorm from "batchnorm";
${trainingScript}
if (isMainThread) {
  for (let i = 0; i < 8; i++) new Worker(new URL(import.meta.url)).on("message", (line) => console.log(line));
  console.log(report(batchnorm, process.version));
} else {
  parentPort.postMessage(report(batchnorm, process.version));
}`;

const FORKS = `
import { fork } from "node:child_process";
for (let i = 0; i < 4; i++) fork("program.mjs", { stdio: "inherit" });
`;

/** Rounds of a worker that is ended while it computes on the pool's threads; resident memory of each, in megabytes. */
const TERMINATED = `
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import * as batchnorm from "batchnorm";
${trainingScript}
const round = (i) => new Promise((resolve, reject) => {
  const worker = new Worker(new URL(import.meta.url));
  worker.on("error", reject);
  worker.on("message", () => setTimeout(() => worker.terminate().then(resolve, reject), i % 8));
});
if (isMainThread) {
  const resident = [];
  for (let i = 0; i < 60; i++) {
    await round(i);
    resident.push(Math.round(process.memoryUsage().rss / 2 ** 20));
  }
  console.log(report(batchnorm, process.version));
  console.log("resident", JSON.stringify(resident));
} else {
  const layer = new batchnorm.BatchNorm(64, { threads: 2 });
  const x = new Float32Array(8 * 64 * 32 * 32).fill(1);
  layer.forward(x, [8, 64, 32, 32]);
  layer.backward(x);
  parentPort.postMessage("working");
  for (;;) {
    layer.forward(x, [8, 64, 32, 32]);
    layer.backward(x);
  }
}`;

/** The package in the main realm and its user in another, whose typed arrays are others; and the other way round. */
const REALMS = `
const vm = require("node:vm");
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const text = ${JSON.stringify(trainingScript)};
const batchnorm = require("batchnorm");
console.log(vm.runInNewContext(text + "report(batchnorm, version)", { batchnorm, version: process.version }));

const path = require.resolve("batchnorm").replace(/js$/, "cjs");
const parsingContext = vm.createContext({ process, URL, Buffer });
const names = ["module", "exports", "require", "__filename"];
const run = vm.compileFunction(readFileSync(path, "utf8"), names, { parsingContext, filename: path });
const module_ = { exports: {} };
run(module_, module_.exports, createRequire(path), path);
console.log(new Function("batchnorm", text + "; return report(batchnorm, process.version);")(module_.exports));
`;

/** Runs a program in every line of Node: so many reports, all alike. */
async function inEveryNode(context: Context, name: string, program: string, reports: number): Promise<string[]> {
  const cwd = context.folder({ [name]: program, "program.mjs": trainingProgram() });
  const outputs: string[] = [];
  for (const line of LINES) {
    const stdout = await succeed(context, node(context, line), [name], { cwd });
    const lines = stdout.split("\n").filter((text) => text.startsWith("{"));
    if (lines.length !== reports) throw new Error(`${lines.length} reports, not ${reports}:\n${stdout}`);
    const expected = { backend: exactly(context.native), hash: context.trainingHash };
    for (const text of lines) expectReport(text, expected);
    outputs.push(stdout);
  }
  return outputs;
}

const simple = (name: string, file: string, program: string, reports: number): Environment => ({
  name,
  async run(context) {
    await inEveryNode(context, file, program, reports);
    return `${context.native}, ${reports} reports; Node ${LINES.join(", ")}`;
  },
});

/** Megabytes that the last third of the rounds may be above the second: what lost memory would show many times over. */
const SLACK = 24;

/** Throws where memory still grows; says how it went. */
function levelsOff(stdout: string): string {
  const resident = JSON.parse(/^resident (.*)$/m.exec(stdout)![1]!) as number[];
  const third = Math.floor(resident.length / 3);
  const most = [0, 1, 2].map((part) => Math.max(...resident.slice(part * third, (part + 1) * third)));
  if (most[2]! > most[1]! + SLACK) throw new Error(`resident memory grows: ${resident.join(" ")}`);
  return most.join(" ");
}

export const environments: readonly Environment[] = [
  simple("eight worker threads", "workers.mjs", WORKERS, 9),
  simple("four forked processes", "forks.mjs", FORKS, 4),
  simple("realms of node:vm", "realms.cjs", REALMS, 2),
  {
    name: "worker threads ended in a call",
    async run(context) {
      const outputs = await inEveryNode(context, "terminated.mjs", TERMINATED, 1);
      return `60 rounds each; MB resident at most, by thirds: ${outputs.map(levelsOff).join(", ")}`;
    },
  },
];
