// The hub of a group of processes: it collects the arrays of a gather, and sends all of them to each rank. It sees when a
// process ends.
import type { Server, Socket } from "node:net";
import { checkInteger } from "../../base/check.js";
import { builtin, runtimeProcess } from "../../base/environment.js";
import { typeError } from "../../base/errors.js";
import { checkRank, textOfRanks } from "../ranks.js";
import { Frames, bytesOf, type Fields, type Frame } from "./frames.js";

/** The variables of the environment that tell a process which rank of which group it is. */
export const VARIABLES = {
  path: "BATCHNORM_GROUP_PATH",
  key: "BATCHNORM_GROUP_KEY",
  rank: "BATCHNORM_GROUP_RANK",
  size: "BATCHNORM_GROUP_SIZE",
} as const;

/** A hub that runs in this process. */
export interface ProcessHub {
  /** The number of ranks. */
  readonly size: number;
  /**
   * Returns the environment of a rank: pass it to the process, beside `process.env`. `processGroup()` reads it there.
   *
   * @param rank The rank.
   */
  environmentOf(rank: number): Record<string, string>;
  /** Ends the hub. Ranks that wait get an error. */
  close(): Promise<void>;
}

/** A gather that not all ranks have come to. */
interface Pending {
  readonly members: readonly number[];
  readonly call: string;
  readonly arrays: Map<number, Float64Array>;
  timer: ReturnType<typeof setTimeout> | null;
}

/** How many failed gathers are remembered for those who come late. */
const MOST_FAILED = 1000;

class Hub {
  readonly #sockets = new Map<number, Socket>();
  /** Ranks that come no more, and why. */
  readonly #left = new Map<number, string>();
  readonly #pending = new Map<string, Pending>();
  readonly #failed = new Map<string, { readonly message: string; readonly ranks: readonly number[] }>();

  constructor(
    private readonly size: number,
    private readonly key: string,
  ) {}

  /** A process has connected. It says first which rank it is. */
  add(socket: Socket): void {
    let rank = -1;
    const frames = new Frames((frame) => {
      if (frame.fields.type === "join") rank = this.#join(frame.fields, socket);
      else if (rank >= 0) this.#receive(rank, frame);
      if (rank < 0) socket.destroy();
    });
    socket.setNoDelay(true);
    socket.on("data", (bytes: Uint8Array) => {
      try {
        frames.add(bytes);
      } catch {
        socket.destroy();
      }
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (rank >= 0) this.leave(rank, "its process has ended");
    });
  }

  /** The rank that a process says, or −1 if it cannot have it. */
  #join({ rank, key }: { readonly rank: number; readonly key: string }, socket: Socket): number {
    const isFree = Number.isInteger(rank) && rank >= 0 && rank < this.size && !this.#sockets.has(rank);
    if (key !== this.key || !isFree) return -1;
    this.#sockets.set(rank, socket);
    return rank;
  }

  #send(rank: number, fields: Fields, values?: Float64Array): void {
    this.#sockets.get(rank)?.write(bytesOf(fields, values));
  }

  #receive(rank: number, { fields, values }: Frame): void {
    if (fields.type === "leave") this.leave(rank, fields.reason);
    if (fields.type !== "values") return;
    const { id, members, call, timeout } = fields;
    const failed = this.#failed.get(id);
    if (failed) {
      this.#send(rank, { type: "error", id, ...failed });
      return;
    }
    let pending = this.#pending.get(id);
    if (!pending) this.#pending.set(id, (pending = { members, call, arrays: new Map(), timer: null }));
    pending.arrays.set(rank, values);
    pending.timer ??= timeout === null ? null : setTimeout(() => this.#expire(id, timeout), timeout);
    const gone = members.find((member) => this.#left.has(member) && !pending.arrays.has(member));
    if (pending.arrays.size === members.length) this.#complete(id, pending);
    else if (gone !== undefined) this.#fail(id, `rank ${gone} has left: ${this.#left.get(gone)}`, [gone]);
  }

  #complete(id: string, { members, arrays, timer }: Pending): void {
    if (timer) clearTimeout(timer);
    const length = arrays.get(members[0]!)!.length;
    const other = members.find((member) => arrays.get(member)!.length !== length);
    if (other !== undefined) {
      const [own, got] = [members[0]!, arrays.get(other)!.length];
      this.#fail(id, `rank ${other} gathers ${got} numbers, and rank ${own} ${length}`, [other]);
      return;
    }
    const all = new Float64Array(members.length * length);
    members.forEach((member, i) => all.set(arrays.get(member)!, i * length));
    this.#pending.delete(id);
    for (const member of members) this.#send(member, { type: "all", id }, all);
  }

  #expire(id: string, timeout: number): void {
    const { members, arrays } = this.#pending.get(id)!;
    const missing = members.filter((member) => !arrays.has(member));
    this.#fail(id, `${textOfRanks(missing)} did not come within ${timeout} ms`, missing);
  }

  /** Tells those who wait, and later those who come. */
  #fail(id: string, message: string, ranks: readonly number[]): void {
    const { arrays, timer } = this.#pending.get(id)!;
    if (timer) clearTimeout(timer);
    this.#pending.delete(id);
    this.#failed.set(id, { message, ranks });
    if (this.#failed.size > MOST_FAILED) this.#failed.delete([...this.#failed.keys()][0]!);
    for (const rank of arrays.keys()) this.#send(rank, { type: "error", id, message, ranks });
  }

  /** A rank comes no more: the gathers that wait for it fail. */
  leave(rank: number, reason: string): void {
    if (this.#left.has(rank)) return;
    this.#left.set(rank, reason);
    for (const [id, { members, arrays }] of [...this.#pending])
      if (members.includes(rank) && !arrays.has(rank)) this.#fail(id, `rank ${rank} has left: ${reason}`, [rank]);
  }

  end(): void {
    for (const id of [...this.#pending.keys()]) this.#fail(id, "the hub was closed", []);
    for (const socket of this.#sockets.values()) socket.end();
  }
}

/** Where the hub listens: a socket in a folder that no other user can read, or a pipe of Windows. */
function pathOf(key: string): { readonly path: string; readonly remove: () => void } {
  if (runtimeProcess()?.platform === "win32") return { path: `\\\\.\\pipe\\batchnorm-${key}`, remove: () => undefined };
  const { mkdtempSync, rmSync } = builtin("node:fs");
  const folder = mkdtempSync(`${builtin("node:os").tmpdir()}/batchnorm-`);
  return { path: `${folder}/group`, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/**
 * Starts the hub of a group of processes on this machine, for example in the process that starts them. The hub is not a rank,
 * and it must stay as long as the group does. It listens on a local socket that other users cannot open.
 *
 * @example
 * ```ts
 * const hub = await processHub(4);
 * for (let rank = 0; rank < 4; rank++)
 *   fork("./train.js", { env: { ...process.env, ...hub.environmentOf(rank) } });
 * ```
 *
 * @param size The number of ranks.
 * @returns The hub.
 * @throws TypeError or RangeError if an argument is wrong, TypeError outside of Node (`ERR_BATCHNORM_TYPE`).
 */
export async function processHub(size: number): Promise<ProcessHub> {
  const ranks = checkInteger("size", size, 1);
  if (typeof runtimeProcess()?.getBuiltinModule !== "function")
    throw typeError("ERR_BATCHNORM_TYPE", "groups of processes need Node, or a runtime with its modules");
  const key = builtin("node:crypto").randomBytes(16).toString("hex");
  const { path, remove } = pathOf(key);
  const hub = new Hub(ranks, key);
  const server: Server = builtin("node:net").createServer((socket) => hub.add(socket));
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  return {
    size: ranks,
    environmentOf: (rank) => ({
      [VARIABLES.path]: path,
      [VARIABLES.key]: key,
      [VARIABLES.rank]: String(checkRank("rank", rank, ranks)),
      [VARIABLES.size]: String(ranks),
    }),
    close: () =>
      new Promise((resolve) => {
        hub.end();
        server.close(() => {
          remove();
          resolve();
        });
      }),
  };
}
