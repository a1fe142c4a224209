// The same in Node, with native code where there is some: prints the fingerprint that the page shows.
import { BatchNorm } from "batchnorm";
import { descriptions, draw, fingerprint, SHAPES, sizeOf } from "./data.js";
import { forward, makeLayers } from "./network.js";

const layers = makeLayers(BatchNorm, descriptions);
for (const [name, shape] of Object.entries(SHAPES)) {
  const x = new Float32Array(sizeOf(shape));
  const y = new Float32Array(x.length);
  draw(x);
  forward(layers, x, shape, y);
  console.log(`${name}: ${await fingerprint(y)}, ${layers[0].backend}`);
}
