// Whether a library runs on as many threads as it was asked to: what it says, what it found, and what it started.
import type { Tally } from "./workers.js";

export interface Seen extends Tally {
  readonly name: string;
  readonly asked: number;
  /** The number that the library itself gives, and what that is called. */
  readonly says: { readonly what: string; readonly threads: number };
  /** What it needs, by the name that it has for it. */
  readonly features: Readonly<Record<string, boolean>>;
}

/** In a line. The calling thread is one of the threads, so that one fewer is started. */
export function checkThreads({ name, asked, says, features, made, started }: Seen): string {
  const missing = Object.keys(features).filter((feature) => !features[feature]);
  const wrong = [
    ...missing.map((feature) => `${feature} is false`),
    says.threads !== asked && `${says.what} is ${says.threads}`,
    started !== asked - 1 &&
      `it started ${started} of ${asked - 1} threads beside the page's own, with ${made} workers`,
  ].filter((one) => one !== false);
  if (wrong.length > 0) throw new Error(`${name} does not run on ${asked} threads here: ${wrong.join("; ")}`);
  const found = [...Object.keys(features).map((feature) => `${feature} is true`), `${says.what} is ${says.threads}`];
  return `${name}: ${found.join(", ")}, threads started in workers: ${started}`;
}
