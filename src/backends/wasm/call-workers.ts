// The workers of this thread that run whole kernel calls for asynchronous ones. They begin with the first such call, and end
// when there was none for some time.
import { delay } from "../../base/environment.js";
import { BackendUnavailableError, messageOf } from "../../base/errors.js";
import { CALL_WORKER } from "./worker-source.js";
import type { Answer, Equipment, Errand } from "./worker/call-messages.js";
import { PATIENCE, haveBegun, makeWorker, type AnyWorker } from "./workers.js";

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export class CallWorker {
  readonly #worker: AnyWorker;
  #begin: (() => void) | null = null;
  #waiting: Waiting | null = null;
  /** Why it cannot run calls, or null. */
  fault: string | null = null;

  /** @throws Error whose message is the reason why there are no workers. */
  constructor(module: WebAssembly.Module) {
    this.#worker = makeWorker(CALL_WORKER, {
      heard: (message) => this.#settle(message as Answer, null),
      failed: (reason) => this.#settle(null, reason),
      ended: () => this.#settle(null, "it has ended"),
    });
    const equipment: Equipment = { module };
    this.#worker.post(equipment);
  }

  /** Its first message says that it has begun. */
  async begun(): Promise<boolean> {
    const begun = new Promise<void>((resolve) => (this.#begin = resolve));
    if (!(await haveBegun([this.#worker], begun))) this.fault ??= "it has not begun within 10 seconds";
    return this.fault === null;
  }

  #settle(answer: Answer | null, fault: string | null): void {
    const [begin, waiting] = [this.#begin, this.#waiting];
    this.#begin = this.#waiting = null;
    this.fault ??= fault ?? answer?.fault ?? null;
    begin?.();
    if (this.fault !== null)
      waiting?.reject(new BackendUnavailableError("wasm", `a kernel failed in a worker: ${this.fault}`));
    else if (answer) waiting?.resolve(answer);
  }

  /** Runs a kernel call. The process does not end meanwhile. */
  async run(errand: Errand): Promise<Answer> {
    this.#worker.keepProcess(true);
    try {
      return await new Promise<Answer>((resolve, reject) => {
        this.#waiting = { resolve, reject };
        // It may have died while others of its crew began.
        if (this.fault !== null) this.#settle(null, this.fault);
        else this.#worker.post(errand, errand.buffers);
      });
    } finally {
      this.#worker.keepProcess(false);
    }
  }

  end(): void {
    this.#worker.end();
  }
}

export class CallWorkers {
  #idle: CallWorker[] = [];
  #busy = 0;
  /** Takes their end back. */
  #keep: () => void = () => undefined;
  #hasBegun = false;
  /** Why there are no workers, or null. */
  refusal: string | null = null;

  /** Workers that have begun: one at least, and others as long as no more than `most` are busy; none if there can be none. */
  async take(module: WebAssembly.Module, wanted: number, most: number): Promise<CallWorker[]> {
    const count = Math.max(1, Math.min(wanted, most - this.#busy));
    this.#busy += count;
    const taken = await Promise.all(Array.from({ length: count }, () => this.#takeOne(module)));
    const workers = taken.filter((worker) => worker !== null);
    this.#busy -= count - workers.length;
    return workers;
  }

  async #takeOne(module: WebAssembly.Module): Promise<CallWorker | null> {
    const idle = this.#idle.filter(({ fault }) => fault === null);
    const found = idle.pop();
    this.#idle = idle;
    if (found || this.refusal !== null) return found ?? null;
    try {
      return await this.#begin(module);
    } catch (error) {
      // Where one has begun already, another one may begin later: memory may have run out.
      if (!this.#hasBegun) this.refusal = messageOf(error);
      return null;
    }
  }

  async #begin(module: WebAssembly.Module): Promise<CallWorker> {
    const worker = new CallWorker(module);
    if (!(await worker.begun())) {
      worker.end();
      throw new Error(`a worker cannot run: ${worker.fault}`);
    }
    this.#hasBegun = true;
    return worker;
  }

  /** Takes workers back. One that failed is not used again. */
  give(workers: readonly CallWorker[]): void {
    this.#busy -= workers.length;
    for (const worker of workers) {
      if (worker.fault === null) this.#idle.push(worker);
      else worker.end();
    }
    this.#keep();
    this.#keep = delay(() => this.end(), PATIENCE);
  }

  /** Ends the workers that have no call. */
  end(): void {
    for (const worker of this.#idle) worker.end();
    this.#idle = [];
  }
}
