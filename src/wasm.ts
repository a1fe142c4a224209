// The WASM backend: runs the kernels of `Kernels` on an instance of the module, by staging their arrays.
import { affineCoefficients, batchInvStd, gradCoefficients } from "./coefficients.js";
import { FIELDS, type Control } from "./control.js";
import { KERNELS, type Kernels } from "./kernels.js";
import type { Data, Floats } from "./types.js";
import { runInArena } from "./wasm-arena.js";
import type { Span } from "./wasm-copy.js";
import { packagedModule } from "./packaged-module.js";
import { Staging, holdsChannels, type Call } from "./wasm-staging.js";
import { tileForElements, tileForSums } from "./wasm-tiles.js";

export interface StagingOptions {
  /** Size of the memory in pages of 64 KiB. */
  readonly pages?: number;
  /** Bytes of a tile, all operands together, as far as whole blocks allow: what a core's own cache holds. */
  readonly tileBytes?: number;
}

/**
 * 16 MiB hold three operands of the largest tiles beside the control block of many thousand
 * channels; more would not be faster, because tiles are sized for the cache.
 */
const PAGES = 256;
const TILE_BYTES = 1 << 20;

type Field = (typeof FIELDS)[number];
type Optional = Data | null;

/** Fields lie side by side, so that what a kernel reads or writes is one range of them. */
function span(first: Field, last: Field): Span {
  return [FIELDS.indexOf(first), FIELDS.indexOf(last) + 1];
}

const NOTHING: Span = [0, 0];
const PARAMETERS = span("weight", "bias");
const MOMENTS = span("mean", "m2");
const STATISTICS = span("mean", "shift");
const FORWARD = span("weight", "shift");
const AFFINE = span("center", "shift");
const SUMS = span("sumG", "sumGX");
const GRADIENT = span("center", "gradScale");
const SUMS_AND_GRADIENT = span("sumG", "gradScale");

/** The auxiliary operand counts only under a ReLU, whose mask needs it. */
function maskOperand(control: Control, aux: Optional): Optional {
  return control.has("relu") ? aux : null;
}

function momentsCall(x: Data): Call {
  return { kernel: "moments", arrays: [x], ins: [x], outs: [null], operands: [0], reads: NOTHING, writes: MOMENTS };
}

/** y takes x's place in the memory. */
function outputCall(
  kernel: "normalize" | "forward",
  x: Data,
  y: Data,
  residual: Optional,
  reads: Span,
  writes: Span,
): Call {
  const operands = [0, 0, residual ? 1 : -1];
  return { kernel, arrays: [x, y, residual], ins: [x, residual], outs: [y, null], operands, reads, writes };
}

function gradSumsCall(control: Control, x: Data, dy: Data, aux: Optional): Call {
  const mask = maskOperand(control, aux);
  const arrays = [x, dy, mask];
  const operands = [0, 1, mask ? 2 : -1];
  const outs = [null, null, null];
  return { kernel: "gradSums", arrays, ins: arrays, outs, operands, reads: AFFINE, writes: SUMS };
}

/** dx takes dy's place in the memory, dresidual that of aux. */
function gradientCall(
  kernel: "gradInput" | "backward",
  x: Data,
  readsX: boolean,
  dy: Data,
  dx: Data,
  mask: Optional,
  dresidual: Optional,
  reads: Span,
  writes: Span,
): Call {
  const operands = [0, 1, 1, mask ? 2 : -1, dresidual ? 2 : -1];
  const arrays = [x, dy, dx, mask, dresidual];
  return { kernel, arrays, ins: [readsX ? x : null, dy, mask], outs: [null, dx, dresidual], operands, reads, writes };
}

/** The call of a kernel that takes weights behind the operands of another. */
function weighted(kernel: keyof Kernels, call: Call, weights: Floats): Call {
  return { ...call, kernel, weights };
}

/** Whether gradInput looks at x: a frozen one only to recompute the mask. */
function needsX(control: Control): boolean {
  return !control.has("frozen") || (control.has("relu") && !control.has("auxIsOutput"));
}

/** Kernels on an instance of the module with a fixed memory of its own. */
export function instantiate(
  module: WebAssembly.Module,
  { pages = PAGES, tileBytes = TILE_BYTES }: StagingOptions = {},
): Kernels {
  const staging = new Staging(module, pages, tileBytes);
  const run = (control: Control, call: Call, tile: typeof tileForSums): void => {
    if (!runInArena(control, call)) staging.run(control, call, staging.plan(control, call, tile));
  };

  /** Runs a fused kernel in an arena, or if its tiles hold whole channels. */
  const runFused = (control: Control, call: Call): boolean => {
    if (runInArena(control, call)) return true;
    const step = staging.plan(control, call, tileForSums);
    if (!holdsChannels(control, step)) return false;
    staging.run(control, call, step);
    return true;
  };

  const kernels: Kernels = {
    moments: (control, x) => run(control, momentsCall(x), tileForSums),
    normalize(control, x, y, residual) {
      run(control, outputCall("normalize", x, y, residual, AFFINE, NOTHING), tileForElements);
    },
    gradSums: (control, x, dy, aux) => run(control, gradSumsCall(control, x, dy, aux), tileForSums),
    gradInput(control, x, dy, dx, aux, dresidual) {
      const mask = maskOperand(control, aux);
      const call = gradientCall("gradInput", x, needsX(control), dy, dx, mask, dresidual, GRADIENT, NOTHING);
      run(control, call, tileForElements);
    },
    forward(control, x, y, residual) {
      if (runFused(control, outputCall("forward", x, y, residual, PARAMETERS, STATISTICS))) return;
      kernels.moments(control, x);
      batchInvStd(control);
      affineCoefficients(control);
      kernels.normalize(control, x, y, residual);
    },
    backward(control, x, dy, dx, aux, dresidual) {
      const mask = maskOperand(control, aux);
      const fused = gradientCall("backward", x, true, dy, dx, mask, dresidual, FORWARD, SUMS_AND_GRADIENT);
      if (runFused(control, fused)) return;
      kernels.gradSums(control, x, dy, aux);
      gradCoefficients(control);
      kernels.gradInput(control, x, dy, dx, aux, dresidual);
    },
    weightedMoments: (control, x, w) => run(control, weighted("weightedMoments", momentsCall(x), w), tileForSums),
    weightedGradInput(control, x, dy, dx, aux, dresidual, w) {
      const mask = maskOperand(control, aux);
      const call = gradientCall("gradInput", x, true, dy, dx, mask, dresidual, GRADIENT, NOTHING);
      run(control, weighted("weightedGradInput", call, w), tileForElements);
    },
    weightedForward(control, x, y, residual, w) {
      const fused = outputCall("forward", x, y, residual, PARAMETERS, STATISTICS);
      if (runFused(control, weighted("weightedForward", fused, w))) return;
      kernels.weightedMoments(control, x, w);
      batchInvStd(control);
      affineCoefficients(control);
      kernels.normalize(control, x, y, residual);
    },
    weightedBackward(control, x, dy, dx, aux, dresidual, w) {
      const mask = maskOperand(control, aux);
      const fused = gradientCall("backward", x, true, dy, dx, mask, dresidual, FORWARD, SUMS_AND_GRADIENT);
      if (runFused(control, weighted("weightedBackward", fused, w))) return;
      kernels.gradSums(control, x, dy, aux);
      gradCoefficients(control);
      kernels.weightedGradInput(control, x, dy, dx, aux, dresidual, w);
    },
    zeroMasked(control, x, y, w) {
      const call = outputCall("normalize", x, y, null, NOTHING, NOTHING);
      run(control, weighted("zeroMasked", { ...call, arrays: [x, y], operands: [0, 0] }, w), tileForElements);
    },
  };
  return kernels;
}

let compiled: WebAssembly.Module | null = null;

/** The module, compiled once. Throws an Error whose message is the reason where it cannot be. */
export function wasmModule(): WebAssembly.Module {
  return (compiled ??= packagedModule());
}

let loaded: Kernels | null = null;

/** The backend, compiled and instantiated once. Throws an Error whose message is the reason where it cannot be. */
export function loadWasm(): Kernels {
  loaded ??= instantiate(wasmModule());
  return loaded;
}

/** Takes the place of the module inside; throws, and changes nothing, where it is not ours. */
export function provideModule(module: WebAssembly.Module): void {
  const names = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  const missing = ["heapBase", "widen", "narrow", ...KERNELS].filter((name) => !names.has(name));
  if (missing.length > 0) throw new Error(`the module does not export ${missing.join(", ")}`);
  loaded = instantiate(module);
  compiled = module;
}
