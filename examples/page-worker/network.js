// What is done to a tensor. Put your own work here: the worker, the page's thread and Node all run this file.

/** The layers of their descriptions `{ channels, options, state }`, in inference mode. Node and the page have other builds. */
export function makeLayers(BatchNorm, descriptions) {
  return descriptions.map(({ channels, options, state }) => {
    const bn = new BatchNorm(channels, options);
    if (state) bn.loadStateDict(state);
    return bn.eval();
  });
}

/** Writes to y what the layers make of x. In a network of yours, convolutions stand between them. */
export function forward(layers, x, shape, y) {
  layers.forEach((bn, i) => bn.forward(i === 0 ? x : y, shape, { out: y, save: false }));
}
