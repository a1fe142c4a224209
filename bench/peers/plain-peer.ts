// Plain JavaScript as a peer.
import type { Peer, Problem, Prepared } from "./peer.js";
import { timeSync } from "./peer.js";
import { forward, inference } from "./plain.js";
import { backward } from "./plain-backward.js";

function prepare(problem: Problem): Prepared {
  const { x, dy, extent, weight, bias, runningMean, runningVar, mean, invStd, eps } = problem;
  const out = new Float32Array(x.length);
  let gradients: ReturnType<typeof backward> | undefined;
  return {
    tasks: {
      forward: {
        sample: timeSync(() => forward(x, out, extent, weight, bias, eps)),
        result: () => ({ out }),
      },
      inference: {
        sample: timeSync(() => inference(x, out, extent, weight, bias, runningMean, runningVar, eps)),
        result: () => ({ out }),
      },
      backward: {
        sample: timeSync(() => void (gradients = backward(x, dy, out, extent, weight, mean, invStd))),
        result: () => ({ out, ...gradients }),
      },
    },
    dispose: () => undefined,
  };
}

export function loadPlain(): Peer[] {
  return [{ name: "plain-js", version: null, threads: 1, prepare }];
}
