// Progress on stderr: a bar on a terminal, plain lines elsewhere.
import { SingleBar } from "cli-progress";

export interface Progress {
  /** How much of all work is done, 0–1. */
  readonly update: (share: number) => void;
  readonly stop: () => void;
}

function bar(): Progress {
  const single = new SingleBar({
    format: "[{bar}] {percentage} %, {eta_formatted} left",
    barsize: 40,
    hideCursor: true,
  });
  single.start(1000, 0);
  return { update: (share) => single.update(Math.round(1000 * share)), stop: () => single.stop() };
}

/** A line at every tenth. */
function lines(): Progress {
  let tenth = 0;
  return {
    update(share) {
      const now = Math.floor(10 * share + 1e-9);
      if (now === tenth) return;
      tenth = now;
      process.stderr.write(`${10 * tenth} % done\n`);
    },
    stop: () => {},
  };
}

export function showProgress(): Progress {
  return process.stderr.isTTY ? bar() : lines();
}
