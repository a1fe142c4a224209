// A drawn digit, made into an image as those of MNIST were: fitted into 20×20 pixels with its proportions kept, and put
// into 28×28 so that its centre of mass is in the middle (LeCun et al., the MNIST database).

const SIDE = 28;
const BOX = 20;

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The smallest box around all ink, or null without ink. */
function boxOf(ink: Float32Array, size: number): Box | null {
  let [left, right, top, bottom] = [size, -1, size, -1];
  ink.forEach((value, i) => {
    if (value <= 0) return;
    const [x, y] = [i % size, Math.floor(i / size)];
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  });
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** The mean of the ink over a rectangle of the drawing, whose sides need not be whole numbers. */
function meanOver(
  ink: Float32Array,
  size: number,
  [x0, x1, y0, y1]: readonly [number, number, number, number],
): number {
  let sum = 0;
  for (let y = Math.max(0, Math.floor(y0)); y < Math.min(size, y1); y++) {
    const high = Math.min(y + 1, y1) - Math.max(y, y0);
    for (let x = Math.max(0, Math.floor(x0)); x < Math.min(size, x1); x++) {
      sum += ink[y * size + x]! * high * (Math.min(x + 1, x1) - Math.max(x, x0));
    }
  }
  return sum / ((x1 - x0) * (y1 - y0));
}

/** The centre of mass of what the drawing has in its box, in units of the drawing. */
function centreOf(ink: Float32Array, size: number): readonly [number, number] {
  let [mass, x, y] = [0, 0, 0];
  ink.forEach((value, i) => {
    mass += value;
    x += value * ((i % size) + 0.5);
    y += value * (Math.floor(i / size) + 0.5);
  });
  return [x / mass, y / mass];
}

/** 784 values in [0, 1] from a drawing of size×size values in [0, 1], or null where nothing is drawn. */
export function centred(ink: Float32Array, size: number): Float32Array | null {
  if (ink.length !== size * size) throw new RangeError(`a drawing of ${size}×${size} has ${ink.length} values`);
  const box = boxOf(ink, size);
  if (!box) return null;
  const scale = Math.max(box.width, box.height) / BOX;
  const [x, y] = centreOf(ink, size);
  const [left, top] = [x - (scale * SIDE) / 2, y - (scale * SIDE) / 2];
  return Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
    const [column, row] = [i % SIDE, Math.floor(i / SIDE)];
    const cell = [
      left + scale * column,
      left + scale * (column + 1),
      top + scale * row,
      top + scale * (row + 1),
    ] as const;
    return meanOver(ink, size, cell);
  });
}
