// What not every engine has: environment variables, absent in browsers and refused by some sandboxes, warnings, a clock.

type Name = "BATCHNORM_BACKEND" | "BATCHNORM_DEBUG" | "BATCHNORM_THREADS";
const read = new Map<Name, string | undefined>();

/** The value of a variable when it was first asked for: reading one takes a microsecond, a small forward five. */
export function environment(name: Name): string | undefined {
  if (!read.has(name)) read.set(name, readVariable(name));
  return read.get(name);
}

function readVariable(name: Name): string | undefined {
  try {
    return (globalThis as Partial<typeof globalThis>).process?.env?.[name] || undefined;
  } catch {
    return undefined;
  }
}

/** Tells the user what must not pass unseen: a process warning, else the console. */
export function warn(message: string): void {
  const { process, console } = globalThis as Partial<typeof globalThis>;
  if (typeof process?.emitWarning === "function") process.emitWarning(message, "BatchNormWarning");
  else console?.warn(message);
}

/** For durations; plain engines and realms of node:vm have no `performance`. */
export function milliseconds(): number {
  const { performance } = globalThis as Partial<typeof globalThis>;
  return performance ? performance.now() : Date.now();
}

/** Something that holds a value, if it is still there. */
export interface Holder<T> {
  deref(): T | undefined;
}

/** Holds a value until the garbage collector takes it. Some edge runtimes have no WeakRef. There it holds it for good. */
export function weakly<T extends object>(value: T): Holder<T> {
  return typeof WeakRef === "function" ? new WeakRef(value) : { deref: () => value };
}
