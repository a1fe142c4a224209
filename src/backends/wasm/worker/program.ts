// The program of a worker that does shares of calls. scripts/build/worker.mjs makes a text of it, since a worker that is made of a text needs no
// file that a bundler would have to know of.
import { SHARE_BYTES, type Hire, type Place } from "./messages.js";
import { port } from "./port.js";
import { State, Word, join, work } from "./seats.js";

/** How long a worker looks out for the next call before it sleeps: waking it takes about as long. */
const SPIN_MS = 0.1;

type ShareKernel = (share: number) => void;

const arenas = new Map<number, { readonly share: ShareKernel; readonly shares: number }>();
let hire: Hire;
let handled = 0;

/** Does what is left of a call. A worker that comes late finds nothing, and touches nothing. */
function help(words: Int32Array): void {
  const first = join(words, (arena) => arenas.has(arena));
  if (first <= 0) return;
  const { share, shares } = arenas.get(Atomics.load(words, Word.arena))!;
  const done = work(words, first, (index) => share(shares + index * SHARE_BYTES));
  Atomics.add(words, Word.done, done);
  Atomics.notify(words, Word.done);
}

/** Waits for a change after `call`. Returns false if there was none for so long that the worker ends. */
function waited(words: Int32Array, call: number): boolean {
  for (const end = performance.now() + SPIN_MS; performance.now() < end;) {
    for (let i = 0; i < 100; i++) if (Atomics.load(words, Word.call) !== call) return true;
  }
  return Atomics.wait(words, Word.call, call, hire.patience) !== "timed-out";
}

/** Works until a message is on its way, which only the event loop brings, or until it ends. */
function live(): void {
  const { words, index } = hire;
  for (;;) {
    const call = Atomics.load(words, Word.call);
    if (Atomics.load(words, Word.states + index) === State.toEnd) break;
    if (Atomics.load(words, Word.messages + index) !== handled) return;
    help(words);
    if (!waited(words, call)) break;
  }
  Atomics.store(words, Word.states + index, State.ended);
  port.onmessage = null;
  port.close();
}

/**
 * Has the garbage collector look for memory that was forgotten. A worker makes so few objects that it would not come: an
 * engine counts what buffers hold. Their pages are never touched, so that they take no memory.
 */
function collect(): void {
  for (let i = 0; i < 2; i++) new ArrayBuffer(2 ** 26);
}

port.onmessage = ({ data }: { readonly data: Hire | Place }) => {
  handled++;
  if ("words" in data) {
    hire = data;
    // Where it is to end already, it does.
    Atomics.compareExchange(data.words, Word.states + data.index, State.starting, State.ready);
    port.postMessage("ready");
  } else if (data.memory) {
    const { memory, base, shares } = data;
    const { exports } = new WebAssembly.Instance(hire.module, { env: { memory, base } });
    arenas.set(data.arena, { share: exports["share"] as ShareKernel, shares });
  } else {
    arenas.delete(data.arena);
    collect();
  }
  live();
};
