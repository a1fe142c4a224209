// A worker thread that trains one point after another.
import { parentPort, workerData } from "node:worker_threads";
import type { Digits } from "../examples/digits/network/samples.js";
import type { Planned } from "./experiments/plan.js";
import { loadProducts, type ProductsName } from "./products.js";
import { train, type Trained } from "./training/train.js";

export interface Start {
  readonly digits: Digits;
  readonly products: ProductsName;
}

export type Message =
  | { readonly kind: "step"; readonly step: number }
  | { readonly kind: "trained"; readonly trained: Trained }
  | { readonly kind: "failed"; readonly message: string };

/** Messages of progress for each training. */
const REPORTS = 100;

const { digits, products: name } = workerData as Start;
const products = await loadProducts(name);

function send(message: Message): void {
  parentPort?.postMessage(message);
}

async function run(planned: Planned): Promise<Message> {
  const every = Math.ceil(planned.settings.steps / REPORTS);
  try {
    const trained = await train(planned, digits, products, (step) => {
      if (step % every === 0) send({ kind: "step", step });
    });
    return { kind: "trained", trained };
  } catch (error) {
    return { kind: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

parentPort?.on("message", (planned: Planned) => void run(planned).then(send));
