// What not every engine has: environment variables, absent in browsers and refused by some sandboxes, warnings, a clock.

/** In the bundles for `require` alone: a bare realm of node:vm has no global of that name, but such a bundle can ask. */
declare const requiredProcess: NodeJS.Process | undefined;

/** The process of Node and its like. In browsers it is absent; some sandboxes have one that lacks most of it. */
export function runtimeProcess(): Partial<NodeJS.Process> | undefined {
  if (typeof requiredProcess !== "undefined") return requiredProcess;
  return (globalThis as Partial<typeof globalThis>).process;
}

/** A module of Node's, called late and by a name of its own: bundlers leave it alone. Throws where there is no Node. */
export const builtin: typeof process.getBuiltinModule = (id: string) => runtimeProcess()!.getBuiltinModule!(id);

type Name = "BATCHNORM_BACKEND" | "BATCHNORM_DEBUG" | "BATCHNORM_THREADS";
const read = new Map<Name, string | undefined>();

/** The value of a variable when it was first asked for: reading one takes a microsecond, a small forward five. */
export function environment(name: Name): string | undefined {
  if (!read.has(name)) read.set(name, readVariable(name));
  return read.get(name);
}

function readVariable(name: Name): string | undefined {
  try {
    return runtimeProcess()?.env?.[name] || undefined;
  } catch {
    return undefined;
  }
}

/** Tells the user what must not pass unseen: a process warning, else the console. */
export function warn(message: string): void {
  const { console } = globalThis as Partial<typeof globalThis>;
  const process = runtimeProcess();
  if (typeof process?.emitWarning === "function") process.emitWarning(message, "BatchNormWarning");
  else console?.warn(message);
}

/** For durations; plain engines and realms of node:vm have no `performance`. */
export function milliseconds(): number {
  const { performance } = globalThis as Partial<typeof globalThis>;
  return performance ? performance.now() : Date.now();
}

/** Does something later, unless the process ends before. Returns what takes it back. */
export function delay(run: () => void, ms: number): () => void {
  const timer: unknown = setTimeout(run, ms);
  // Node's timer is an object, and a browser's a number, which in Deno keeps the process too.
  const { Deno } = globalThis as { Deno?: { unrefTimer?(timer: unknown): void } };
  if (typeof timer === "object") (timer as NodeJS.Timeout).unref();
  else Deno?.unrefTimer?.(timer);
  return () => clearTimeout(timer as NodeJS.Timeout);
}

/** Something that holds a value, if it is still there. */
export interface Holder<T> {
  deref(): T | undefined;
}

/** Holds a value until the garbage collector takes it. Some edge runtimes have no WeakRef. There it holds it for good. */
export function weakly<T extends object>(value: T): Holder<T> {
  return typeof WeakRef === "function" ? new WeakRef(value) : { deref: () => value };
}
