// What asynchronous calls have in common: their option, where their kernels run, and the memory of their outputs.
import { selectBackend } from "../backends/backend.js";
import { Session } from "../backends/off-thread/session.js";
import { isTurnDue, noteWork, ownTurn } from "../backends/off-thread/turns.js";
import { threadsBeside } from "../backends/threads.js";
import { lengthOf } from "../base/check.js";
import { environment, milliseconds } from "../base/environment.js";
import { lostArray } from "../base/errors.js";
import { allocateOutput } from "../base/outputs.js";
import { throwIfAborted, type AbortSignalLike } from "../base/signal.js";
import { allocate, type Data, type DType } from "../base/types.js";
import type { ForwardArrays } from "../engine/forward.js";
import { Workspace } from "../engine/workspace.js";
import type { Extent } from "../kernels/control.js";
import type { Resources } from "./resources.js";

/** The option that all asynchronous calls have. */
export interface AsyncOptions {
  /**
   * Ends the call. A call that waits is dropped at once. One that runs ends after the part of its work that it is at. The
   * promise is rejected with the reason of the signal, the running statistics do not move, and a token is not used up.
   * What is in `out` then is undefined.
   */
  signal?: AbortSignalLike | undefined;
}

/**
 * The elements from which kernels run on another thread. Fewer take some 50 µs, and to ask another thread costs as much.
 */
const FEWEST = 2 ** 17;

/** What a call works on. */
export interface Use {
  readonly dtype: DType;
  readonly size: number;
  readonly isWeighted: boolean;
}

/** A call whose kernels run on another thread. */
export class AsyncRun {
  #workspace: Workspace | null = null;
  readonly #lengths = new Map<Data, number>();

  constructor(
    readonly session: Session,
    private readonly dtype: DType,
    private readonly resources: Resources,
  ) {}

  /** A workspace of the call alone: synchronous calls may come in between. */
  readonly workspaceFor = (extent: Extent, isWeighted: boolean, whole?: number): Workspace => {
    const { outer, channels, inner } = extent;
    const last = this.#workspace?.extent;
    if (last?.outer === outer && last.channels === channels && last.inner === inner) return this.#workspace!;
    const { dtype, resources, session } = this;
    const { tune } = selectBackend({ dtype, isWeighted }, resources.backend);
    const asked = threadsBeside(resources.threads);
    return (this.#workspace = new Workspace(
      session.kernels,
      dtype,
      { outer, channels, inner },
      isWeighted,
      (control) => tune(control, asked),
      whole,
      session.scratch,
    ));
  };

  /** Notes arrays that JavaScript can take away. */
  note(...arrays: readonly (Data | null)[]): void {
    for (const array of arrays) if (array) this.#lengths.set(array, lengthOf(array));
  }

  /** What the call ends with. Work on an array that lost its memory throws errors of the engine, which have no code. */
  errorOf(error: unknown): unknown {
    const isCoded = typeof (error as { code?: unknown } | null)?.code === "string";
    const isLost = [...this.#lengths].some(([array, length]) => lengthOf(array) !== length);
    return error instanceof Error && !isCoded && isLost ? lostArray("an array") : error;
  }

  /** The number of threads that worked on the newest kernel. */
  get threadsUsed(): number {
    return this.#workspace?.threadsUsed ?? 1;
  }
}

/** Begins a call on another thread; null: it runs on the calling thread. */
function openRun(
  { dtype, size, isWeighted }: Use,
  resources: Resources,
  signal: AbortSignalLike | null,
): AsyncRun | null {
  const backend = selectBackend({ dtype, isWeighted }, resources.backend);
  const offThread = size < FEWEST ? null : backend.offThread();
  return offThread && new AsyncRun(new Session(offThread, signal), dtype, resources);
}

/**
 * Does the work of a call on another thread, or with null on the calling thread.
 *
 * @throws BackendUnavailableError if the backend that was asked for cannot be used.
 */
export async function withRun<T>(
  use: Use,
  resources: Resources,
  signal: AbortSignalLike | null,
  work: (run: AsyncRun | null) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal);
  const run = openRun(use, resources, signal);
  try {
    const start = milliseconds();
    const done = await work(run);
    if (!run) noteWork(milliseconds() - start);
    if (isTurnDue()) await ownTurn();
    return done;
  } catch (error) {
    throw run && error !== signal?.reason ? run.errorOf(error) : error;
  } finally {
    run?.session.close();
  }
}

/** Makes an output: a hidden one if only kernels look at it until the end, else an ordinary array. */
export function outputOf(run: AsyncRun | null, dtype: DType, size: number, isPlain: boolean): Data {
  return run && isPlain ? run.session.output(dtype, size) : allocateOutput(dtype, size);
}

/** Arrays that stand for outputs until it is known how these are made. */
const promised = new WeakSet<Data>();

/** Promises an output. */
export function promiseOutput(dtype: DType): Data {
  const standIn = allocate(dtype, 1);
  promised.add(standIn);
  return standIn;
}

export function isPromised(array: Data): boolean {
  return promised.has(array);
}

/** The arrays of a forward with the output that was promised. `make` makes one; `isPlain`: kernels alone look at it. */
export function withOutput(
  arrays: ForwardArrays,
  run: AsyncRun | null,
  isCut: boolean,
  make: (isPlain: boolean) => Data,
): ForwardArrays {
  const { plan, x, residual, conditional, kept } = arrays;
  const isPlain = !isCut && !plan.apartAxes && !conditional && kept !== "output";
  const y = isPromised(arrays.y) ? make(isPlain) : arrays.y;
  if (run) keepAll(run, [x, residual], [y], Boolean(plan.apartAxes));
  return { ...arrays, y };
}

/**
 * Keeps copies of arrays during a call, but not where the call copies them itself, as it does axes that lie apart. With
 * BATCHNORM_DEBUG=1 tokens are made of outputs, which must be up to date.
 */
export function keepAll(
  run: AsyncRun,
  inputs: readonly (Data | null)[],
  outputs: readonly (Data | null)[],
  isCopied = false,
): void {
  run.note(...inputs, ...outputs);
  if (isCopied) return;
  for (const input of inputs) run.session.keep(input);
  if (environment("BATCHNORM_DEBUG") !== "1") for (const output of outputs) run.session.keep(output);
}
