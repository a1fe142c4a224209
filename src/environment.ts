// Environment variables, where there are any: absent in browsers, refused by some sandboxes.

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
  const { process } = globalThis as Partial<typeof globalThis>;
  if (typeof process?.emitWarning === "function") process.emitWarning(message, "BatchNormWarning");
  else console.warn(message);
}
