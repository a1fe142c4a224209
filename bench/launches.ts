// Starts bench/launch.ts, one process after another, and gathers their rows.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Message } from "./launch.js";
import type { Options } from "./options.js";
import { mergeLaunches, type Row } from "./rows.js";

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

/** @throws Error where the bits differ. */
export async function runLaunches(options: Options, onDone: (group: string) => void): Promise<Row[]> {
  const launches: (readonly Row[])[] = [];
  for (let i = 1; i <= options.launches; i++) {
    const suffix = options.launches > 1 ? `, launch ${i} of ${options.launches}` : "";
    launches.push(await launch(options, (group) => onDone(group + suffix)));
  }
  return mergeLaunches(launches);
}
