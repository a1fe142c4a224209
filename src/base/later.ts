// Values that may come later. The engine is written once: a kernel that runs at once returns nothing, and everything after
// it happens at once too; a kernel that runs on another thread returns a promise, and so does the engine then.

/** A value, or a promise of it. */
export type Later<T> = T | Promise<T>;

/** Goes on with a value: at once if it is there, so that a synchronous call makes no promise. */
export function after<T, R>(value: Later<T>, next: (value: T) => Later<R>): Later<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** The value of a synchronous call, whose kernels have run when they return. */
export function now<T>(value: Later<T>): T {
  return value as T;
}

/** Does something for each item, one after another. */
export function inTurn<T>(items: Iterable<T>, run: (item: T) => Later<void>): Later<void> {
  const iterator = items[Symbol.iterator]();
  for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
    const ran = run(next.value);
    if (ran) return rest(ran, iterator, run);
  }
}

async function rest<T>(first: Promise<void>, iterator: Iterator<T>, run: (item: T) => Later<void>): Promise<void> {
  await first;
  for (let next = iterator.next(); next.done !== true; next = iterator.next()) await run(next.value);
}
