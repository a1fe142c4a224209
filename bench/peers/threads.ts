// What a library with threads is timed on in Node.
import { availableParallelism } from "node:os";

export const THREADS: readonly number[] = [...new Set([1, availableParallelism()])];
