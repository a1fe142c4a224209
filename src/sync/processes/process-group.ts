// Groups of processes on one machine, each of which is connected to a hub.
import type { Socket } from "node:net";
import { builtin, runtimeProcess } from "../../base/environment.js";
import { messageOf, rangeError } from "../../base/errors.js";
import { GroupError, type GatherOptions, type Group } from "../group.js";
import { DEFAULT_TIMEOUT, checkTimeout, checkedRanks } from "../ranks.js";
import { Frames, bytesOf, type Frame } from "./frames.js";
import { VARIABLES } from "./hub.js";

/** The options of `processGroup`. */
export interface ProcessGroupOptions {
  /** How many milliseconds a gather waits for the other ranks, if its call does not say so. The default is 60,000. */
  timeout?: number | undefined;
  /** What the hub's `environmentOf` returned. The default is the environment of this process. */
  environment?: Readonly<Record<string, string | undefined>> | undefined;
}

/** A group of processes. Its gathers are asynchronous. */
export interface ProcessGroup extends Group {
  /**
   * Sends an array to all ranks. The promise has the arrays of all of them, in the order of the ranks.
   *
   * @param values The array of this rank.
   * @param options The time limit, and what is gathered.
   */
  allGather(values: Float64Array, options?: GatherOptions): Promise<Float64Array>;
  /**
   * Makes a group of some of the ranks. Every rank of `ranks` calls it with the same list, and the others do not. Rank
   * `ranks[i]` is rank i of the new group.
   *
   * @param ranks The ranks of the new group, of which this is one.
   */
  split(ranks: readonly number[]): ProcessGroup;
  /**
   * Tells the other ranks that this one gives up. Their gathers with it throw a `GroupError` with this reason.
   *
   * @param reason Why, for messages of errors.
   */
  abort(reason: string): void;
  /** Leaves the group, so that this process can end. */
  close(): Promise<void>;
}

interface Waiting {
  readonly call: string;
  readonly resolve: (all: Float64Array) => void;
  readonly reject: (error: GroupError) => void;
}

/** How much longer than the hub a rank waits, in case that the hub itself hangs. */
const SLACK = { factor: 1.1, milliseconds: 300 };

/** The connection of a rank to the hub, which all of its groups share. */
class Connection {
  readonly #waiting = new Map<string, Waiting>();
  #end: string | null = null;

  constructor(
    private readonly socket: Socket,
    private readonly rank: number,
  ) {
    const frames = new Frames((frame) => this.#receive(frame));
    socket.on("data", (bytes: Uint8Array) => frames.add(bytes));
    socket.on("error", (error) => this.#close(`the connection to the hub failed: ${error.message}`));
    socket.on("close", () => this.#close("the hub was closed"));
  }

  #receive({ fields, values }: Frame): void {
    if (fields.type !== "all" && fields.type !== "error") return;
    const waiting = this.#waiting.get(fields.id);
    if (!waiting) return;
    this.#waiting.delete(fields.id);
    this.#refer();
    if (fields.type === "all") waiting.resolve(values);
    else waiting.reject(new GroupError(fields.message, fields.ranks, waiting.call));
  }

  #close(reason: string): void {
    this.#end ??= reason;
    for (const { reject, call } of this.#waiting.values()) reject(new GroupError(this.#end, [], call));
    this.#waiting.clear();
  }

  /** A process that waits for nothing can end. */
  #refer(): void {
    if (this.#waiting.size > 0) this.socket.ref();
    else this.socket.unref();
  }

  gather(
    id: string,
    members: readonly number[],
    values: Float64Array,
    timeout: number,
    call: string,
  ): Promise<Float64Array> {
    if (this.#end !== null) return Promise.reject(new GroupError(this.#end, [this.rank], call));
    return new Promise((resolve, reject) => {
      const limit = Math.min(timeout, 2 ** 30);
      const timer = setTimeout(
        () => {
          this.#waiting.delete(id);
          reject(new GroupError(`the hub did not answer within ${timeout} ms`, [], call));
        },
        limit * SLACK.factor + SLACK.milliseconds,
      );
      this.#waiting.set(id, {
        call,
        resolve: (all) => {
          clearTimeout(timer);
          resolve(all);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#refer();
      const isLimited = limit === timeout;
      this.socket.write(bytesOf({ type: "values", id, members, timeout: isLimited ? timeout : null, call }, values));
    });
  }

  leave(reason: string): void {
    if (this.#end !== null) return;
    this.#end = `this rank, ${this.rank}, has left: ${reason}`;
    this.socket.write(bytesOf({ type: "leave", reason }));
  }

  close(): Promise<void> {
    this.leave("it has closed its group");
    return new Promise((resolve) => {
      if (this.socket.destroyed) resolve();
      else this.socket.once("close", () => resolve()).end();
    });
  }
}

class Processes implements ProcessGroup {
  readonly rank: number;
  readonly size: number;
  #number = 0;
  /** How often each list of ranks was split off. */
  readonly #splits = new Map<string, number>();

  constructor(
    private readonly connection: Connection,
    rank: number,
    private readonly members: readonly number[],
    private readonly name: string,
    private readonly timeout: number,
  ) {
    this.rank = members.indexOf(rank);
    this.size = members.length;
  }

  allGather(values: Float64Array, { timeout, call = "a gather" }: GatherOptions = {}): Promise<Float64Array> {
    const id = `${this.name} ${++this.#number}`;
    return this.connection.gather(id, this.members, values, checkTimeout(timeout, this.timeout), call);
  }

  split(ranks: readonly number[]): ProcessGroup {
    const members = checkedRanks(ranks, this).map((rank) => this.members[rank]!);
    const key = members.join();
    const times = (this.#splits.get(key) ?? 0) + 1;
    this.#splits.set(key, times);
    const own = this.members[this.rank]!;
    return new Processes(this.connection, own, members, `${this.name}/${key}#${times}`, this.timeout);
  }

  abort(reason: string): void {
    this.connection.leave(reason);
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

function connect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = builtin("node:net").connect(path);
    socket.once("error", reject).once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

/**
 * Joins the group of processes whose hub started this process, or gave it its environment. Gathers are asynchronous: use
 * `forwardAsync` and `backwardAsync`. For blocking calls there are worker threads and MPI.
 *
 * @example
 * ```ts
 * const group = await processGroup();
 * const bn = new SyncBatchNorm(64, { group });
 * const y = await bn.forwardAsync(x, shape);
 * ```
 *
 * @param options The time limit, and the environment.
 * @returns The group.
 * @throws RangeError if the environment names no group (`ERR_BATCHNORM_VALUE`), GroupError if the hub cannot be reached
 * (`ERR_BATCHNORM_GROUP`).
 */
export async function processGroup(options: ProcessGroupOptions = {}): Promise<ProcessGroup> {
  const { environment = runtimeProcess()?.env ?? {} } = options;
  const timeout = checkTimeout(options.timeout, DEFAULT_TIMEOUT);
  const [path, key] = [environment[VARIABLES.path], environment[VARIABLES.key]];
  const [rank, size] = [Number(environment[VARIABLES.rank]), Number(environment[VARIABLES.size])];
  if (!path || !key || !Number.isInteger(rank) || !(rank >= 0 && rank < size))
    throw rangeError(
      "ERR_BATCHNORM_VALUE",
      `"environment" names no group: start this process with that of a processHub`,
    );
  let socket: Socket;
  try {
    socket = await connect(path);
  } catch (error) {
    throw new GroupError(`the hub cannot be reached: ${messageOf(error)}`, [], "processGroup");
  }
  socket.setNoDelay(true);
  socket.write(bytesOf({ type: "join", rank, key }));
  socket.unref();
  const members = Array.from({ length: size }, (_, other) => other);
  return new Processes(new Connection(socket, rank), rank, members, "all", timeout);
}
