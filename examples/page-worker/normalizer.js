// The page's side: promises of results, back-pressure, and requests that are aborted.
import { Arrays, transferred } from "./arrays.js";
import { Connection, errorOf, withCode } from "./connection.js";

export class Normalizer {
  /** What runs in the worker: a backend, and how many threads a large tensor has. */
  backend = "";
  threads = 1;
  /** Whether the arrays of `take` are memory that the worker has too. Otherwise their buffers go to and fro. */
  isShared = false;

  #maxPending;
  #connection = new Connection((answer) => this.#settle(answer));
  #arrays;
  /** Tensors that are not sent yet, because the worker has as many as it may have. */
  #waiting = [];
  /** Tensors that are in the worker, by their ids. */
  #sent = new Map();

  /**
   * Starts a worker with layers of the descriptions `{ channels, options, state }`.
   *
   * - maxPending: how many tensors the worker has at a time. With 2, the next one is there when one is done.
   * - arenaBytes: the memory that the page and the worker share, where the page is cross-origin isolated.
   * - signal: ends the start.
   *
   * It is rejected with the code ERR_NORMALIZER_WORKER if there can be no worker, and with the library's own codes if it
   * refuses a description.
   */
  static async start(descriptions, { maxPending = 2, arenaBytes = 256 << 20, signal } = {}) {
    if (!Number.isInteger(maxPending) || maxPending < 1)
      throw new RangeError(`"maxPending" expected a positive integer, got ${maxPending}`);
    const normalizer = new Normalizer(maxPending);
    const { backend, threads, isShared } = await normalizer.#connection.open({ descriptions, arenaBytes }, signal);
    return Object.assign(normalizer, { backend, threads, isShared });
  }

  /** Use `Normalizer.start`. */
  constructor(maxPending) {
    this.#maxPending = maxPending;
    this.#arrays = new Arrays(2 * maxPending + 2, (number) => this.#connection.post({ free: number }));
    void this.ended.then((error) => this.#lose(error));
  }

  /** Resolved when the worker ends, with the error that says why. */
  get ended() {
    return this.#connection.ended;
  }

  /** How many tensors wait or are in the worker. */
  get pending() {
    return this.#waiting.length + this.#sent.size;
  }

  /** Whether a tensor would have to wait. */
  get isFull() {
    return this.pending >= this.#maxPending;
  }

  /** An array to write a tensor into. It has anything in it. */
  async take(length) {
    if (this.#connection.failure) throw this.#connection.failure;
    const free = this.#arrays.take(length);
    if (free || !this.isShared) return free ?? new Float32Array(length);
    const { y } = await this.#connection.ask({ take: length });
    return this.#arrays.unpack(y);
  }

  /** Gives an array back, so that a later request can have it. Do not use it any more. */
  release(array) {
    this.#arrays.give(array);
  }

  /**
   * Normalizes x, a Float32Array. Resolves to `{ x, y }`: x as it was, and the result. Both are the caller's, to use again or
   * to `release`. Until then x is the normalizer's. If the promise is rejected, do not use x any more: the normalizer keeps it.
   *
   * - signal: ends the request. One that waits is not begun. The result of one that runs is thrown away.
   * - wait: with false, it is rejected with ERR_NORMALIZER_BUSY instead of waiting, and x stays the caller's.
   */
  normalize(x, shape, { signal, wait = true } = {}) {
    return new Promise((resolve, reject) => {
      if (this.#connection.failure) throw this.#connection.failure;
      signal?.throwIfAborted();
      if (!(x instanceof Float32Array))
        throw withCode(new TypeError('"x" expected a Float32Array'), "ERR_NORMALIZER_TYPE");
      if (this.isFull && !wait) throw withCode(new RangeError("the worker has enough to do"), "ERR_NORMALIZER_BUSY");
      const abort = () => this.#abort(request);
      const once = (settle) => (value) => {
        signal?.removeEventListener("abort", abort);
        settle(value);
      };
      const id = this.#connection.newId();
      const request = { id, x, shape, signal, resolve: once(resolve), reject: once(reject) };
      signal?.addEventListener("abort", abort);
      this.#waiting.push(request);
      this.#send();
    });
  }

  /** Ends the worker. What waits or runs is rejected with ERR_NORMALIZER_CLOSED. */
  close() {
    this.#connection.end(withCode(new Error("the normalizer is closed"), "ERR_NORMALIZER_CLOSED"));
  }

  #send() {
    while (this.#waiting.length > 0 && this.#sent.size < this.#maxPending) {
      const request = this.#waiting.shift();
      const { id, shape } = request;
      const arrays = [request.x, this.#arrays.take(request.x.length)];
      try {
        const [x, y] = arrays.map((array) => this.#arrays.pack(array));
        this.#connection.post({ id, x, shape, y }, transferred(x, y));
        this.#sent.set(id, request);
      } catch (error) {
        // x was sent away already, or shape is nothing that can be sent.
        for (const array of arrays) this.#arrays.give(array);
        request.reject(error);
      }
    }
  }

  /** The caller is told at once. The arrays come back with the worker's answer. */
  #abort(request) {
    const at = this.#waiting.indexOf(request);
    if (at < 0) this.#connection.post({ abort: request.id });
    else {
      this.#waiting.splice(at, 1);
      this.#arrays.give(request.x);
    }
    request.reject(request.signal.reason);
  }

  #settle({ id, x, y, ...said }) {
    const { resolve, reject, signal } = this.#sent.get(id);
    this.#sent.delete(id);
    const arrays = { x: this.#arrays.unpack(x), y: this.#arrays.unpack(y) };
    if ("error" in said || signal?.aborted) {
      this.#arrays.give(arrays.x);
      this.#arrays.give(arrays.y);
      reject(errorOf(said)); // without effect where the caller was told of the abort
    } else resolve(arrays);
    this.#send();
  }

  #lose(error) {
    for (const { reject } of [...this.#sent.values(), ...this.#waiting]) reject(error);
    this.#sent.clear();
    this.#waiting = [];
  }
}
