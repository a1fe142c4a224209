// Calls on several threads in a shared memory. The memory begins with the instances' own data, one after another, each
// with states and scratch behind it; then the shares of a call; then the control block.
import { warn, weakly } from "../../base/environment.js";
import { columnsOf, type Control } from "../../kernels/control.js";
import { FIELDS, type Field } from "../../kernels/layout.js";
import { selfCheck } from "../self-check/self-check.js";
import type { DType } from "../../base/types.js";
import type { Call } from "./calls.js";
import { CheckMemory } from "./check-memory.js";
import type { Span } from "./copy.js";
import { GROUP_BYTES, INSTANCE_BYTES, SHARES_BYTES, mostColumns, prepare, wordsOf, writeShares } from "./division.js";
import { bytesOf, type Instance } from "./instance.js";
import { Sums, partOf, stepsOf, type Step } from "./shares.js";
import type { Team, Workplace } from "./team.js";
import { currentTeam, moduleForThreads, refuseThreads } from "./threads.js";
import type { Box } from "./tiles.js";
import { SHARE_BYTES } from "./worker/messages.js";
import { MOST_THREADS } from "./worker/seats.js";

const SHARES = MOST_THREADS * INSTANCE_BYTES;
/** Where the control block begins. */
export const CONTROL = SHARES + SHARES_BYTES;

const spanOf = (first: Field, last: Field): Span => [FIELDS.indexOf(first), FIELDS.indexOf(last) + 1];
const ALL: Span = [0, FIELDS.length];
const RESULTS: Record<number, Span> = {
  [Sums.moments]: spanOf("mean", "m2"),
  [Sums.gradients]: spanOf("sumG", "sumGX"),
};

/** Where the arrays of a call stand in the memory, by the kernel's operands, and what is free for sums of groups. */
export interface Placed {
  readonly pointers: readonly number[];
  readonly free: number;
  readonly end: number;
}

/** As many threads as a call is worth. */
function threadsOf(control: Control): number {
  const { outer, channels, inner } = control.extent;
  return Math.min(control.get("threads"), MOST_THREADS, Math.floor((outer * channels * inner) / control.get("grain")));
}

/** What was checked of calls in shares, and found to be right. */
const checked = new Set<string>();

/** Whether divided calls have the oracle's bits. Their shares are checked at the first use of each element type. */
export function areSharesRight(dtype: DType, isWeighted: boolean): boolean {
  const use = `${isWeighted ? "weighted " : ""}${dtype}`;
  if (checked.has(use)) return true;
  const tools = new CheckMemory(moduleForThreads(), true);
  const fault = selfCheck(tools.kernelsFor(dtype)!, dtype, isWeighted, { makeTools: () => tools });
  if (fault === null) return checked.add(use).size > 0;
  refuseThreads(`a divided call differs from the oracle: ${fault}`);
  warn(`batchnorm: WebAssembly has one thread, since a divided call differs from the oracle: ${fault}`);
  return false;
}

export class Sharing implements Workplace {
  readonly shares = SHARES;
  readonly #words: Uint32Array;
  /** The team that knows the memory, and by which number. */
  #known: { readonly team: Team; readonly arena: number } | null = null;

  constructor(
    private readonly instance: Instance,
    readonly memory: WebAssembly.Memory,
  ) {
    this.#words = new Uint32Array(memory.buffer, SHARES, SHARES_BYTES / 4);
    // Workers that wait for their first call learn of the memory now.
    const team = currentTeam();
    if (team) this.#numberIn(team);
  }

  baseOf(index: number): number {
    return (index + 1) * INSTANCE_BYTES;
  }

  #numberIn(team: Team): number {
    if (this.#known?.team === team) return this.#known.arena;
    const arena = team.add(this);
    this.#known = { team, arena };
    // The workers have the memory too, and would keep it.
    registry?.register(this, { team: weakly(team), arena }, this);
    return arena;
  }

  /** The memory is no arena any more. */
  dispose(): void {
    this.#known?.team.remove(this.#known.arena);
    this.#known = null;
    registry?.unregister(this);
  }

  /** The steps of a call, if it is to be divided and there is room for the sums of its groups. */
  #stepsOf(control: Control, { kernel }: Call, threads: number, { free, end }: Placed): readonly Step[] | null {
    const { extent, traversal } = control;
    const most = mostColumns(this.instance.ownBytes);
    const sizes = { mostColumns: most, valueBytes: bytesOf(control) };
    const steps = stepsOf(kernel, { extent, traversal, threads, grain: control.get("grain"), ...sizes });
    const groups = steps?.[0]?.groups ?? 0;
    return free + groups * GROUP_BYTES * columnsOf(extent, traversal) > end ? null : steps;
  }

  /** Runs a call on several threads. Returns false where it has to run on one. */
  run(control: Control, call: Call, placed: Placed): boolean {
    const threads = threadsOf(control);
    const team = threads > 1 ? currentTeam() : null;
    if (!team) return false;
    team.begin(threads);
    if (!team.isReady(control.get("grain") === 0)) return false;
    const steps = this.#stepsOf(control, call, threads, placed);
    if (!steps || !areSharesRight(control.dtype, call.weights !== null)) return false;
    const arena = this.#numberIn(team);
    let most = 1;
    for (const step of steps) {
      this.#begin(control, call, step, placed);
      const part = (index: number): number => partOf(control, step.shares[index]!);
      most = Math.max(most, team.run(arena, threads, step.shares.length, this.#share, part));
      this.#end(control, call, step);
    }
    control.set("threadsUsed", most);
    return true;
  }

  readonly #share = (index: number): void => {
    this.instance.sharing.share(SHARES + index * SHARE_BYTES);
  };

  #begin(control: Control, { kernel }: Call, step: Step, { pointers, free }: Placed): void {
    prepare(control, kernel, step);
    const box = wholeOf(control);
    this.instance.load(control, ALL, box);
    this.instance.setBox(box);
    const common = wordsOf(control, this.instance.base, kernel, step, pointers, free);
    writeShares(this.#words, common, control, step.shares);
  }

  #end(control: Control, { writes }: Call, { sums, part, groups }: Step): void {
    if (part === 0) return;
    if (groups > 0) this.instance.sharing.mergeGroups(SHARES, groups);
    this.instance.save(control, groups > 0 ? RESULTS[sums]! : writes, wholeOf(control));
    this.instance.saveCount(control);
  }
}

/** The whole tensor. */
export function wholeOf({ extent }: Control): Box {
  return { o: 0, c: 0, i: 0, extent, first: true, last: true };
}

/** What some edge runtimes lack. */
const registry =
  typeof FinalizationRegistry === "function"
    ? new FinalizationRegistry<{ readonly team: { deref(): Team | undefined }; readonly arena: number }>(
        ({ team, arena }) => team.deref()?.remove(arena),
      )
    : null;
