// Forward and backward of WASM in a shared arena, on one thread and on several in turns. It runs in Node and in a page.
import type * as Library from "batchnorm";

export interface Timed {
  readonly shape: string;
  readonly operation: "forward" | "backward";
  readonly threads: number;
  /** Threads that worked, at most. */
  readonly used: number;
  /** Milliseconds: the median of the rounds, and the least. */
  readonly median: number;
  readonly least: number;
}

export interface Job {
  readonly shapes: readonly { readonly name: string; readonly shape: readonly [number, number, ...number[]] }[];
  readonly threads: readonly number[];
  readonly rounds: number;
  /** Calls of each layer in a round. From the second on, the workers have not gone to sleep. */
  readonly inARow: number;
}

type Arrays = readonly [x: Float32Array, y: Float32Array, dy: Float32Array, dx: Float32Array];

function arraysIn(arena: Library.Arena, length: number): Arrays {
  const make = (seed: number): Float32Array => {
    const array = arena.float32(length);
    for (let i = 0; i < length; i++) array[i] = ((i * seed) % 1009) / 256 - 2;
    return array;
  };
  return [make(7919), make(0), make(6007), make(0)];
}

/** One round of a layer: how long each operation takes. */
function round(layer: Library.BatchNorm, shape: readonly number[], [x, y, dy, dx]: Arrays): [number, number] {
  const start = performance.now();
  layer.forward(x, shape, { out: y });
  const middle = performance.now();
  layer.backward(dy, { out: dx });
  return [middle - start, performance.now() - middle];
}

function summary(times: readonly number[]): { median: number; least: number } {
  const sorted = [...times].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1]!, least: sorted[0]! };
}

function timeShape({ BatchNorm, createArena }: typeof Library, job: Job, one: Job["shapes"][number]): Timed[] {
  const length = one.shape.reduce((product, size) => product * size, 1);
  const arena = createArena(16 * length + 4096, { shared: true });
  const arrays = arraysIn(arena, length);
  const layers = job.threads.map((threads) => {
    const layer = new BatchNorm(one.shape[1], { backend: "wasm", threads });
    return { threads, layer, times: [[], []] as [number[], number[]], used: [1, 1] as [number, number] };
  });
  for (let i = -2; i < job.rounds; i++) {
    for (const { layer, times, used } of layers) {
      for (let call = 0; call < job.inARow; call++) {
        const [forward, backward] = round(layer, one.shape, arrays);
        used[1] = Math.max(used[1], layer.threads);
        if (i < 0) continue; // compiling
        times[0].push(forward);
        times[1].push(backward);
      }
    }
  }
  arena.dispose();
  return layers.flatMap(({ threads, times, used }) =>
    (["forward", "backward"] as const).map((operation, k) => {
      return { shape: one.name, operation, threads, used: used[1], ...summary(times[k]!) };
    }),
  );
}

export async function measure(library: typeof Library, job: Job): Promise<Timed[]> {
  await library.warmUp({ backend: "wasm", threads: Math.max(...job.threads) });
  const reason = library.backends().find(({ name }) => name === "wasm")?.oneThread;
  if (reason !== undefined) throw new Error(`WebAssembly has one thread here: ${reason}`);
  const rows: Timed[] = [];
  for (const shape of job.shapes) {
    rows.push(...timeShape(library, job, shape));
    // A page stays responsive, and workers learn of the next arena.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return rows;
}
