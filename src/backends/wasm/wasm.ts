// The WASM backend: runs the kernels of `Kernels` on an instance of the module, by staging their arrays.
import { affineCoefficients, batchInvStd, gradCoefficients } from "../../kernels/coefficients.js";
import type { Control } from "../../kernels/control.js";
import { KERNELS, type Kernels } from "../../kernels/kernels.js";
import { packagedModule } from "./packaged-module.js";
import { runInArena } from "./arena-memory.js";
import {
  AFFINE,
  FORWARD,
  GRADIENT,
  NOTHING,
  PARAMETERS,
  STATISTICS,
  SUMS_AND_GRADIENT,
  gradSumsCall,
  gradientCall,
  maskOperand,
  momentsCall,
  needsX,
  outputCall,
  weighted,
} from "./calls.js";
import { Staging, holdsChannels, type Call } from "./staging.js";
import { tileForElements, tileForSums } from "./tiles.js";

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
