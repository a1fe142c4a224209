// What a run of a case keeps: all that the public calls return, write or throw, in order.
import type { BackendName } from "../../src/index.js";
import type { Data, DType } from "../../src/base/types.js";
import type { FuzzCase } from "./draw.js";
import { CaseMemory } from "./memory.js";

/** A function as plain JavaScript calls it: most calls here are made for four types at once. */
export type Loose = (...args: unknown[]) => unknown;

/** Options of a call. */
export type Options = Record<string, unknown>;

/** A result, or the code and the message of an error. */
export interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly value: Data | string;
}

/** What holds the arrays of a case. */
export type Memory = Pick<CaseMemory, "hold" | "output" | "intact">;

/** A case on a backend. */
export class Play {
  readonly entries: Entry[] = [];

  constructor(
    readonly one: FuzzCase,
    readonly backend: BackendName,
    readonly memory: Memory = new CaseMemory(one),
  ) {}

  /** Keeps a copy of a result, whose array the next call may write to. */
  keep(name: string, value: unknown, dtype: DType = this.one.dtype): void {
    if (value === null || value === undefined) return;
    const data = ArrayBuffer.isView(value) ? (value as Data).slice() : Float64Array.of(value as number);
    this.entries.push({ name, dtype, value: data });
  }

  keepAll(name: string, values: object, dtypeOf: (key: string) => DType): void {
    for (const [key, value] of Object.entries(values)) this.keep(`${name}: ${key}`, value, dtypeOf(key));
  }

  /** A call's result; null where it throws an error of the library's, which is kept as one. */
  attempt<T>(name: string, call: () => T): T | null {
    try {
      return call();
    } catch (error) {
      const { code, message } = error as { code?: unknown; message: string };
      if (typeof code !== "string" || !code.startsWith("ERR_BATCHNORM_")) throw error;
      this.entries.push({ name, dtype: "float64", value: `${code}: ${message}` });
      return null;
    }
  }

  get resources(): Options {
    return { backend: this.backend, threads: this.one.threads };
  }
}
