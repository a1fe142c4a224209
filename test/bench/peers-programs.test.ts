// Peers in processes of their own: lines, files and ends, and oneDNN's results where it is installed.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { checkResult, toleranceFor } from "../../bench/peers/check.js";
import { loadOneDnn } from "../../bench/peers/onednn.js";
import { planPeers } from "../../bench/peers/options.js";
import { prepareReference } from "../../bench/peers/ours.js";
import type { Peer, Task } from "../../bench/peers/peer.js";
import { makeProblem } from "../../bench/peers/problem.js";
import { loadProgram } from "../../bench/peers/program.js";
import { THREADS } from "../../bench/peers/threads.js";
import { folderOfTests } from "../support/folders.js";

const folder = folderOfTests();

/** Takes 2.5 ms a call, gives x for a result, and ends on a backward. */
const PROGRAM = `
const { copyFileSync } = require("node:fs");
const { createInterface } = require("node:readline");
console.log("1.2.3");
createInterface(process.stdin).on("line", (line) => {
  const [verb, word] = line.split(" ");
  if (word === "backward") {
    console.error("a first line\\nno backward on " + process.env.OMP_NUM_THREADS);
    process.exit(3);
  }
  if (verb === "write") copyFileSync(process.argv[2] + "/x", process.argv[2] + "/" + word);
  console.log(verb === "sample" ? 2.5 : "done");
});`;

const problems = planPeers({ selection: { shape: ["C", "F", "J"] }, resnet50: false }).map(makeProblem);

test("a program has a process for each number of threads, and its end is the answer to all that follows", async () => {
  const file = join(folder, "program.cjs");
  writeFileSync(file, PROGRAM);
  const peers = await loadProgram("program", process.execPath, [file]);
  expect(peers.map(({ name, version, threads }) => [name, version, threads])).toEqual(
    THREADS.map((threads) => ["program", "1.2.3", threads]),
  );
  for (const { prepare, threads, close } of peers) {
    const { tasks } = await prepare(problems[0]!);
    const [forward, backward] = [tasks.forward as Task, tasks.backward as Task];
    expect(await forward.sample(3)).toBe(2.5);
    expect((await forward.result()).out).toEqual(problems[0]!.x);
    await expect(backward.sample(1)).rejects.toThrow(`no backward on ${threads}`);
    await expect(forward.sample(1)).rejects.toThrow(`no backward on ${threads}`);
    close!();
  }
});

test("a program that does not start is an error with its reason", async () => {
  await expect(loadProgram("none", join(folder, "none"), [])).rejects.toThrow("ENOENT");
  await expect(loadProgram("bad", process.execPath, ["-e", "throw Error('no library')"])).rejects.toThrow();
});

const onednn: Peer[] = await loadOneDnn().catch(() => []);
afterAll(() => onednn.forEach(({ close }) => close?.()));

test.skipIf(onednn.length === 0)(
  "oneDNN gives our results, in both layouts, on any address and number of threads",
  async () => {
    expect(new Set(onednn.map(({ name }) => name)).size).toBe(2);
    for (const problem of problems) {
      const { outer, inner } = problem.extent;
      const { tasks: ours } = prepareReference(problem);
      for (const { prepare } of onednn) {
        const { tasks } = await prepare(problem);
        for (const op of problem.setting.shape.operations) {
          const [task, reference] = [tasks[op] as Task, ours[op] as Task];
          await task.sample(1);
          await reference.sample(1);
          const { wrong } = checkResult(await task.result(), await reference.result(), toleranceFor(outer * inner));
          expect(wrong, `${op} of ${problem.setting.shape.name}`).toBeUndefined();
        }
      }
    }
  },
);
