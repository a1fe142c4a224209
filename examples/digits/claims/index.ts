// The claims of the tour, in the lecture's order.
import { algorithm } from "./algorithm.js";
import { batchSize } from "./batch-size.js";
import type { Claim } from "./claim.js";
import { miniBatch } from "./mini-batch.js";
import { rate } from "./rate.js";
import { regularization } from "./regularization.js";
import { shift } from "./shift.js";
import { speed } from "./speed.js";
import { trap } from "./trap.js";
import { weights } from "./weights.js";

export const claims: readonly Claim[] = [
  miniBatch,
  shift,
  algorithm,
  speed,
  rate,
  weights,
  regularization,
  batchSize,
  trap,
];
