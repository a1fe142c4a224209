// Progress on stderr: a bar on a terminal, a line for each point elsewhere. Both say how long the rest takes.
import { SingleBar } from "cli-progress";
import { costOf, duration, totalCost } from "./cost.js";
import { idOf, type Planned } from "./experiments/plan.js";

export interface Progress {
  readonly update: (planned: Planned, share: number) => void;
  /** Points that have ended count whole; `what` is said of them on a line of its own. */
  readonly end: (planned: Planned, what: string) => void;
  readonly stop: () => void;
}

/** What is done and how long the rest takes, from the time since the start. */
class Clock {
  readonly #start = performance.now();
  readonly #running = new Map<string, number>();
  readonly #total: number;
  #ended = 0;
  points = 0;

  constructor(plan: readonly Planned[]) {
    this.#total = totalCost(plan);
  }

  update(planned: Planned, share: number): void {
    this.#running.set(idOf(planned), share * costOf(planned.settings));
  }

  end(planned: Planned): void {
    this.#running.delete(idOf(planned));
    this.#ended += costOf(planned.settings);
    this.points++;
  }

  get left(): string {
    const done = [...this.#running.values()].reduce((sum, cost) => sum + cost, this.#ended);
    if (done === 0) return "?";
    return duration((performance.now() - this.#start) * (this.#total / done - 1));
  }
}

export function showProgress(plan: readonly Planned[]): Progress {
  const clock = new Clock(plan);
  if (!process.stderr.isTTY) {
    return {
      update: (planned, share) => clock.update(planned, share),
      end(planned, what) {
        clock.end(planned);
        process.stderr.write(`${clock.points} of ${plan.length}: ${idOf(planned)}: ${what}; ${clock.left} left\n`);
      },
      stop: () => {},
    };
  }
  const bar = new SingleBar({ format: "[{bar}] {value}/{total} points, {left} left, {what}", barsize: 24 });
  bar.start(plan.length, 0, { left: "?", what: "" });
  return {
    update(planned, share) {
      clock.update(planned, share);
      bar.update({ left: clock.left });
    },
    end(planned, what) {
      clock.end(planned);
      bar.increment({ left: clock.left, what: `${idOf(planned)}: ${what}` });
    },
    stop: () => bar.stop(),
  };
}
