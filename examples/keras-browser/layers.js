// What the network has besides batch normalization, in plain loops and in Keras's layouts: images × height × width × channels.

export const SIDE = 8;
const AREA = SIDE * SIDE;

/** Visits each place of a 3×3 window on each image, except those outside of the image: padding="same". */
function eachTap(images, visit) {
  for (let place = 0; place < images * AREA; place++) {
    const [row, column] = [Math.floor((place % AREA) / SIDE), place % SIDE];
    for (let tap = 0; tap < 9; tap++) {
      const [down, right] = [Math.floor(tap / 3) - 1, (tap % 3) - 1];
      const isInside = row + down >= 0 && row + down < SIDE && column + right >= 0 && column + right < SIDE;
      if (isInside) visit(place + down * SIDE + right, tap, place);
    }
  }
}

/** Conv2D with padding="same" and without a bias, on images of one channel. The kernel is 3 × 3 × 1 × filters. */
export function convolve(x, kernel) {
  const filters = kernel.length / 9;
  const y = new Float32Array(x.length * filters);
  eachTap(x.length / AREA, (pixel, tap, place) => {
    for (let f = 0; f < filters; f++) y[place * filters + f] += x[pixel] * kernel[tap * filters + f];
  });
  return y;
}

/** The gradient of the kernel. Images need none. */
export function convolveBackward(gradY, x) {
  const filters = gradY.length / x.length;
  const gradKernel = new Float32Array(9 * filters);
  eachTap(x.length / AREA, (pixel, tap, place) => {
    for (let f = 0; f < filters; f++) gradKernel[tap * filters + f] += x[pixel] * gradY[place * filters + f];
  });
  return gradKernel;
}

/** GlobalAveragePooling2D. */
export function averagePool(x, channels) {
  const y = new Float32Array(x.length / AREA);
  for (let i = 0; i < x.length; i++) y[Math.floor(i / channels / AREA) * channels + (i % channels)] += x[i] / AREA;
  return y;
}

export function averagePoolBackward(gradY, channels) {
  const gradX = new Float32Array(gradY.length * AREA);
  for (let i = 0; i < gradX.length; i++)
    gradX[i] = gradY[Math.floor(i / channels / AREA) * channels + (i % channels)] / AREA;
  return gradX;
}

/** Dense. The kernel is inputs × units. */
export function dense(x, { kernel, bias }) {
  const [inputs, units] = [kernel.length / bias.length, bias.length];
  return Float32Array.from({ length: (x.length / inputs) * units }, (_, i) => {
    const [row, unit] = [Math.floor(i / units), i % units];
    let sum = bias[unit];
    for (let k = 0; k < inputs; k++) sum += x[row * inputs + k] * kernel[k * units + unit];
    return sum;
  });
}

export function denseBackward(gradY, x, { kernel, bias }) {
  const [inputs, units] = [kernel.length / bias.length, bias.length];
  const [gradX, gradKernel, gradBias] = [x, kernel, bias].map(({ length }) => new Float32Array(length));
  for (let i = 0; i < gradY.length; i++) {
    const [row, unit] = [Math.floor(i / units), i % units];
    gradBias[unit] += gradY[i];
    for (let k = 0; k < inputs; k++) {
      gradKernel[k * units + unit] += x[row * inputs + k] * gradY[i];
      gradX[row * inputs + k] += kernel[k * units + unit] * gradY[i];
    }
  }
  return { gradX, gradKernel, gradBias };
}

/** The mean cross-entropy of softmax over the classes, and the gradient of the logits. */
export function crossEntropy(logits, labels) {
  const classes = logits.length / labels.length;
  const gradLogits = new Float32Array(logits.length);
  let loss = 0;
  labels.forEach((label, row) => {
    const own = logits.subarray(row * classes, (row + 1) * classes);
    const most = Math.max(...own);
    const sum = own.reduce((all, logit) => all + Math.exp(logit - most), 0);
    loss += (Math.log(sum) + most - own[label]) / labels.length;
    own.forEach((logit, k) => {
      gradLogits[row * classes + k] = (Math.exp(logit - most) / sum - (k === label ? 1 : 0)) / labels.length;
    });
  });
  return { loss, gradLogits };
}
