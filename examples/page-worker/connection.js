// The connection to the worker: questions and their answers, a worker that cannot start, and one that ends.

export const withCode = (error, code) => Object.assign(error, { code });
/** An error of the worker. Its copy has the class and the message that it had there, but no code. */
export const errorOf = ({ error, code }) =>
  error instanceof Error && code !== undefined ? withCode(error, code) : error;
const workerError = (message, cause) => withCode(new Error(message, { cause }), "ERR_NORMALIZER_WORKER");

export class Connection {
  #worker = null;
  #tell;
  /** What waits for an answer to `ask`, by the ids. */
  #asked = new Map();
  #newest = 0;
  #over = new AbortController();
  #tellEnd;
  /** Resolved when the worker ends, with the error that says why. */
  ended = new Promise((resolve) => (this.#tellEnd = resolve));
  /** The same error, or null. */
  failure = null;

  /** `tell` hears the answers to what was sent with `post`. */
  constructor(tell) {
    this.#tell = tell;
  }

  /** Starts the worker, and resolves to its first answer. */
  async open(start, signal) {
    try {
      signal?.throwIfAborted();
      const aborted = new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
      return await Promise.race([this.#begin(start), aborted]);
    } catch (error) {
      this.end(error);
      throw error;
    }
  }

  async #begin(start) {
    this.#worker = this.#makeWorker();
    // Only secure contexts have locks: https, and localhost.
    const lock = navigator.locks && `normalizer ${crypto.randomUUID()}`;
    const said = await this.ask({ start: { ...start, lock } });
    // The worker has the lock as long as it lives. When this gets the lock, the worker has ended.
    const hasEnded = () => this.end(workerError("the worker has ended"));
    if (lock) navigator.locks.request(lock, { signal: this.#over.signal }, hasEnded).catch(() => undefined);
    return said;
  }

  #makeWorker() {
    let worker;
    try {
      worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    } catch (error) {
      // Some browsers throw where a content security policy forbids the worker, others send an error.
      throw workerError(`the worker cannot start: ${error.message}`, error);
    }
    worker.onmessage = ({ data }) => this.#hear(data);
    worker.onmessageerror = () => this.end(workerError("an answer of the worker cannot be read"));
    worker.onerror = (event) => {
      event.preventDefault();
      const reason = event.message || "its script cannot be loaded, or a content security policy forbids it";
      this.end(workerError(`the worker failed: ${reason}`, event.error));
    };
    return worker;
  }

  #hear(answer) {
    if (this.failure) return; // it was on its way
    const { id, ...said } = answer;
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (!asked) this.#tell(answer);
    else if ("error" in said) asked.reject(errorOf(said));
    else asked.resolve(said);
  }

  /** A number that no other message has. */
  newId() {
    return ++this.#newest;
  }

  post(message, transfer) {
    this.#worker.postMessage(message, transfer);
  }

  /** Sends a question, and resolves to its answer. */
  ask(question) {
    return new Promise((resolve, reject) => {
      const id = this.newId();
      this.post({ id, ...question });
      this.#asked.set(id, { resolve, reject });
    });
  }

  /** Ends the worker. Only the first reason counts. */
  end(error) {
    if (this.failure) return;
    this.failure = error;
    this.#over.abort();
    this.#worker?.terminate();
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
    this.#tellEnd(error);
  }
}
