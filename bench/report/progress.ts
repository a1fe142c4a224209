// Progress on stderr: a bar on a terminal, a line for each group elsewhere.
import { SingleBar } from "cli-progress";

export interface Progress {
  readonly done: (what: string) => void;
  readonly stop: () => void;
}

export function showProgress(total: number): Progress {
  if (!process.stderr.isTTY) {
    let count = 0;
    return { done: (what) => void process.stderr.write(`${++count} of ${total}: ${what}\n`), stop: () => {} };
  }
  const bar = new SingleBar({ format: "[{bar}] {value}/{total}, {eta_formatted} left, {what}", barsize: 24 });
  bar.start(total, 0, { what: "" });
  return { done: (what) => bar.increment({ what }), stop: () => bar.stop() };
}
