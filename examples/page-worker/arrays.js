// The page's arrays: those that are free, and what stands for an array in a message.

export class Arrays {
  #free = new Set();
  #most;
  #forget;
  /** The numbers of arrays in the worker's arena. */
  #numbers = new WeakMap();
  #byNumber = new Map();

  /** Keeps at most so many free arrays. `forget` hears of the numbers of those that are dropped. */
  constructor(most, forget) {
    this.#most = most;
    this.#forget = forget;
  }

  /** A free array of this length, if there is one. What is in it is what its last user left there. */
  take(length) {
    for (const array of this.#free) {
      if (array.length !== length) continue;
      this.#free.delete(array);
      return array;
    }
    return undefined;
  }

  /** Takes an array back, to give it out again. */
  give(array) {
    const isWhole = array instanceof Float32Array && array.byteLength === array.buffer.byteLength;
    if (!this.#numbers.has(array) && !(isWhole && array.length > 0)) return; // a view, or an array that was sent away
    this.#free.add(array);
    if (this.#free.size > this.#most) this.#drop(this.#free.values().next().value);
  }

  /** Arrays of another length than before would stay for ever: the one that has been free for longest goes. */
  #drop(array) {
    this.#free.delete(array);
    const number = this.#numbers.get(array);
    if (number === undefined) return; // the garbage collector takes it
    this.#numbers.delete(array);
    this.#byNumber.delete(number);
    this.#forget(number);
  }

  /** What stands for an array in a message. A view is copied, because a transfer would take all of its buffer away. */
  pack(array) {
    const number = this.#numbers.get(array);
    if (number !== undefined) return number;
    const isView = array?.buffer instanceof ArrayBuffer && array.byteLength < array.buffer.byteLength;
    return isView ? array.slice() : array;
  }

  /** The array that something in an answer stands for. */
  unpack(memory) {
    if (typeof memory === "number") return this.#byNumber.get(memory);
    if (memory?.array === undefined) return memory;
    this.#numbers.set(memory.array, memory.number);
    this.#byNumber.set(memory.number, memory.array);
    return memory.array;
  }
}

/** The buffers that a message gives away. */
export const transferred = (...packed) =>
  packed.map((memory) => memory?.buffer).filter((buffer) => buffer instanceof ArrayBuffer);
