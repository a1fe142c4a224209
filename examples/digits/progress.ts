// Progress on stderr: a bar for each training on a terminal, plain lines elsewhere.
import { MultiBar } from "cli-progress";

export interface Progress {
  readonly update: (index: number, step: number) => void;
  readonly stop: () => void;
}

const FORMAT = "{name} [{bar}] {value}/{total} steps, {eta_formatted} left";

function bars(names: readonly string[], steps: number): Progress {
  const multi = new MultiBar({ format: FORMAT, barsize: 24, hideCursor: true });
  const width = Math.max(...names.map((name) => name.length));
  const each = names.map((name) => multi.create(steps, 0, { name: name.padEnd(width) }));
  return { update: (index, step) => each[index]?.update(step), stop: () => multi.stop() };
}

/** A line at every tenth of each training. */
function lines(names: readonly string[], steps: number): Progress {
  const tenths = names.map(() => 0);
  return {
    update(index, step) {
      const tenth = Math.floor((10 * step) / steps);
      if (tenth === tenths[index]) return;
      tenths[index] = tenth;
      process.stderr.write(`${names[index]}: step ${step} of ${steps}\n`);
    },
    stop: () => {},
  };
}

export function showProgress(names: readonly string[], steps: number): Progress {
  return process.stderr.isTTY ? bars(names, steps) : lines(names, steps);
}
