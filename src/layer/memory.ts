// What a layer keeps between calls, so that the next call need not make it: the plan of the last shape, the control
// block of the last extent, and with `reuse` the output and gradInput.
import { workspaceOf } from "../arguments/forward.js";
import { bufferOf, describe, lengthOf, tagOf } from "../base/check.js";
import { weakly, type Holder } from "../base/environment.js";
import { rangeError, typeError } from "../base/errors.js";
import type { Config } from "./config.js";
import type { Extent } from "../kernels/control.js";
import type { Workspace } from "../engine/workspace.js";
import { own } from "../values/lifetime.js";
import { planOf, type Plan } from "../values/plan.js";
import { allocateOutput, sharedOutput } from "../base/outputs.js";
import type { Data } from "../base/types.js";

/**
 * The number of channels from which a control block, 1 MB then, may be taken by the garbage collector between calls. A
 * batch of few samples with so many channels is smaller than its block.
 */
const MANY_CHANNELS = 10_000;

export class LayerMemory {
  #plan: Plan | null = null;
  #workspace: Holder<Workspace> | null = null;
  #threadsUsed = 1;
  readonly #buffers = new Map<"output" | "gradInput", Data>();
  /** Arrays of asynchronous calls: those that are given back, and the buffers of the others. */
  #free: Data[] = [];
  #lent: WeakMap<ArrayBufferLike, Data> | null = null;

  constructor(
    private readonly config: Config,
    private readonly channels: number,
  ) {}

  /** The shape of the newest call. */
  get shape(): readonly number[] | null {
    return this.#plan && this.#plan.shape;
  }

  /** The plan of a shape that was read with `shape` as the earlier one. */
  planOf(shape: readonly number[]): Plan {
    if (this.#plan?.shape === shape) return this.#plan;
    return (this.#plan = planOf(shape, this.config.axis, this.config.dtype, this.channels));
  }

  /**
   * What carries the calls on a tensor, or on a part of one of `whole` elements.
   *
   * @throws BackendUnavailableError if the backend that was asked for cannot be used.
   */
  workspaceOf(extent: Extent, isWeighted: boolean, whole = extent.outer * extent.channels * extent.inner): Workspace {
    const last = this.#workspace?.deref();
    const { outer, channels, inner } = last?.extent ?? {};
    const fits = outer === extent.outer && channels === extent.channels && inner === extent.inner;
    if (fits && last!.whole === whole && (last!.isWeighted || !isWeighted)) return last!;
    return workspaceOf(this.config.dtype, extent, isWeighted, this.config, whole);
  }

  /** The same, which is kept already. */
  keptFor(extent: Extent, isWeighted: boolean, whole?: number): Workspace {
    const workspace = this.workspaceOf(extent, isWeighted, whole);
    this.keep(workspace);
    return workspace;
  }

  /** Keeps the workspace of a call for the next one. */
  keep(workspace: Workspace): void {
    if (this.#workspace?.deref() === workspace) return;
    this.#workspace = this.channels < MANY_CHANNELS ? { deref: () => workspace } : weakly(workspace);
  }

  /** Notes the threads of a call that has ended. Later its workspace may be gone. */
  noteThreads(): void {
    this.#threadsUsed = this.#workspace?.deref()?.threadsUsed ?? 1;
  }

  /** Notes the threads of an asynchronous call. */
  noteThreadsOf(threads: number): void {
    this.#threadsUsed = threads;
  }

  /** The number of threads that worked on the newest call, or 1 before the first call. */
  get threadsUsed(): number {
    return this.#threadsUsed;
  }

  /** A new array, or the layer's own with `reuse`. */
  buffer(which: "output" | "gradInput", size: number): Data {
    if (!this.config.reuse) return allocateOutput(this.config.dtype, size);
    const kept = this.#buffers.get(which);
    if (kept && lengthOf(kept) === size) return kept;
    const fresh = allocateOutput(this.config.dtype, size);
    own(fresh);
    this.#buffers.set(which, fresh);
    return fresh;
  }

  /** An array that is lent to one asynchronous call, and to its caller afterwards. Threads can use shared ones as they are. */
  lend(size: number): Data {
    const found = this.#free.find((array) => lengthOf(array) === size);
    const array = found ?? sharedOutput(this.config.dtype, size);
    if (found) this.#free = this.#free.filter((other) => other !== found);
    else own(array);
    this.#lent ??= new WeakMap();
    this.#lent.set(bufferOf(array), array);
    return array;
  }

  /** Takes an array back. */
  release(given: unknown): void {
    if (tagOf(given) === undefined)
      throw typeError("ERR_BATCHNORM_TYPE", `"array" expected an array of this layer, got ${describe(given)}`);
    const buffer = bufferOf(given);
    const array = this.#lent?.get(buffer);
    if (!array) {
      const expected = `"array" expected one that an asynchronous call of this layer with "reuse" has returned`;
      throw rangeError("ERR_BATCHNORM_VALUE", `${expected}, got another, or one that was released`);
    }
    this.#lent!.delete(buffer);
    this.#free.push(array);
  }
}
