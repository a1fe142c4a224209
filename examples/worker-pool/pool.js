// Workers that normalize tensors in shared memory. Each has one job at a time, and the others wait in their order.
import { Worker } from "node:worker_threads";

export class Pool {
  #workers = [];
  #idle = [];
  #waiting = [];
  #jobs = new Map();
  #nextId = 0;

  constructor(size, bn) {
    const workerData = { channels: bn.numFeatures, state: bn.stateDict() };
    for (let i = 0; i < size; i++) {
      const worker = new Worker(new URL("worker.js", import.meta.url), { workerData });
      worker.on("message", ({ id, message }) => this.#end(worker, id, message && new Error(message)));
      worker.on("error", (error) => this.#lose(worker, error));
      this.#workers.push(worker);
      this.#idle.push(worker);
    }
  }

  /** Normalizes x. It must be in shared memory, and so is the output. */
  normalize(x, shape) {
    const y = new Float32Array(new SharedArrayBuffer(x.byteLength));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id: this.#nextId++, x, y, shape, resolve, reject });
      this.#send();
    });
  }

  /** Ends the workers. Jobs that have not ended are rejected. */
  async close() {
    const workers = this.#workers.splice(0);
    await Promise.all(workers.map((worker) => worker.terminate()));
    for (const { job } of this.#jobs.values()) job.reject(new Error("the pool is closed"));
    for (const job of this.#waiting.splice(0)) job.reject(new Error("the pool is closed"));
    this.#jobs.clear();
  }

  #send() {
    while (this.#idle.length > 0 && this.#waiting.length > 0) {
      const worker = this.#idle.pop();
      const job = this.#waiting.shift();
      this.#jobs.set(job.id, { job, worker });
      worker.postMessage({ id: job.id, x: job.x, y: job.y, shape: job.shape });
    }
  }

  #end(worker, id, error) {
    const { job } = this.#jobs.get(id);
    this.#jobs.delete(id);
    this.#idle.push(worker);
    if (error) job.reject(error);
    else job.resolve(job.y);
    this.#send();
  }

  /** A worker has died: its job fails, and the others go on. */
  #lose(worker, error) {
    for (const [id, { job, worker: own }] of this.#jobs) {
      if (own !== worker) continue;
      this.#jobs.delete(id);
      job.reject(error);
    }
    this.#workers = this.#workers.filter((other) => other !== worker);
    if (this.#workers.length === 0) for (const job of this.#waiting.splice(0)) job.reject(error);
  }
}
