// The numbers of a problem: tensors, parameters and statistics that every peer is given.
import type { Floats as Data } from "../../src/base/types.js";
import { extentOf, lengthOf, shapeIn } from "../shapes.js";
import { fillGradient, fillInput } from "../timed-data.js";
import { makeLayer } from "../measure/layer.js";
import type { PeerSetting } from "./options.js";
import type { Problem } from "./peer.js";
import { statistics } from "./plain.js";

/** With a layer's parameters and running statistics as `npm run bench` sets them. */
export function makeProblem(setting: PeerSetting): Problem {
  const { shape, layout, data } = setting;
  const x = new Float32Array(lengthOf(shape));
  const dy = new Float32Array(x.length);
  fillInput(x, data, shape, layout);
  fillGradient(dy);
  // Of any backend: only its tables are read.
  const layer = makeLayer(setting, { backend: "oracle" });
  const floats = (values: Data | null): Float32Array => Float32Array.from(values!);
  const extent = extentOf(shape, layout);
  const { mean, variance } = statistics(x, extent);
  return {
    setting,
    shape: shapeIn(shape, layout),
    extent,
    eps: layer.eps,
    x,
    dy,
    weight: floats(layer.weight),
    bias: floats(layer.bias),
    runningMean: floats(layer.runningMean),
    runningVar: floats(layer.runningVar),
    mean: Float32Array.from(mean),
    invStd: Float32Array.from(variance, (value) => 1 / Math.sqrt(value + layer.eps)),
  };
}
