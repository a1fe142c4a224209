// How work on the JavaScript thread is cut, so that the event loop goes on: one slice for each turn of the loop, whoever
// wants one, and at most so many kernel calls at a time.
import { milliseconds } from "../../base/environment.js";

/** Waits until the event loop has served what was waiting. */
function nextTurn(): Promise<void> {
  const { setImmediate, MessageChannel } = globalThis as Partial<typeof globalThis>;
  return new Promise((resolve) => {
    try {
      if (typeof setImmediate === "function") {
        setImmediate(resolve);
      } else if (typeof MessageChannel === "function") {
        // A page's timers wait for 4 ms.
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => (port1.close(), resolve());
        port2.postMessage(null);
      } else {
        setTimeout(resolve, 0);
      }
    } catch {
      resolve(); // An edge runtime has no turns while it loads a script.
    }
  });
}

let lastTurn: Promise<void> = Promise.resolve();

/** Waits for a turn of one's own. Four copies at once would make the loop wait for four slices. */
export function ownTurn(): Promise<void> {
  return (lastTurn = lastTurn.then(nextTurn));
}

/** What a slice should take, in milliseconds: half of what the loop may wait. */
const AIM = 1;
const FEWEST = 2 ** 14;

/** How long calls on the event loop's own thread have kept it waiting. */
let spent = 0;

/** Notes the time of such a call, in milliseconds. */
export function noteWork(time: number): void {
  if (spent === 0) void nextTurn().then(() => (spent = 0));
  spent += time;
}

/** Whether the event loop should have a turn before more such work: promises alone would never let it go on. */
export function isTurnDue(): boolean {
  return spent > AIM;
}

/** The number of elements of a slice, which adapts to the machine. All copies share it. */
let sliceLength = 2 ** 17;

/** Does `part` for all of `length` elements, in slices. A failure ends it. */
export async function inSlices(length: number, part: (begin: number, end: number) => void): Promise<void> {
  for (let begin = 0; begin < length;) {
    await ownTurn();
    const end = Math.min(length, begin + sliceLength);
    const start = milliseconds();
    part(begin, end);
    const time = milliseconds() - start;
    if (time > AIM) sliceLength = Math.max(FEWEST, Math.floor(sliceLength / 2));
    else if (time < AIM / 3 && end - begin === sliceLength) sliceLength *= 2;
    begin = end;
  }
}

let running = 0;
const waiting: (() => void)[] = [];

/** Runs a kernel call when fewer than so many are running, in the order in which they came. */
export async function limited(most: number, run: () => Promise<void>): Promise<void> {
  if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    await run();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}
