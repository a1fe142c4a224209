// Starts bench/launch.ts, one process after another, and gathers their rows.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Message } from "./launch.js";
import type { Options } from "../options.js";
import { mergeLaunches, type Row } from "../report/rows.js";

const program = fileURLToPath(new URL("launch.ts", import.meta.url));

function launch(options: Options, onDone: (group: string) => void): Promise<readonly Row[]> {
  return new Promise((resolve, reject) => {
    // The loader of TypeScript that runs this process is in its arguments, which are handed on.
    const child = fork(program);
    let rows: readonly Row[] | undefined;
    child.on("message", (message: Message) => {
      if ("done" in message) onDone(message.done);
      else if ("rows" in message) rows = message.rows;
      else reject(new Error(message.error));
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (rows) resolve(rows);
      else reject(new Error(`the timing process ended early (${signal ?? code})`));
    });
    child.send(options);
  });
}

/** Divides the time that is left among the launches that are left. @throws Error where the bits differ. */
export async function runLaunches(options: Options, onDone: (group: string) => void): Promise<Row[]> {
  const end = performance.now() + options.seconds * 1000;
  const launches: (readonly Row[])[] = [];
  for (let i = 0; i < options.launches; i++) {
    const suffix = options.launches > 1 ? `, launch ${i + 1} of ${options.launches}` : "";
    const seconds = (end - performance.now()) / 1000 / (options.launches - i);
    launches.push(await launch({ ...options, seconds }, (group) => onDone(group + suffix)));
  }
  return mergeLaunches(launches);
}
