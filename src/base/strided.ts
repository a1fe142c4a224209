// Elements of an array that are not next to one another, as views of ndarray libraries have them.

/** Where the elements of a tensor are in an array: at offset + Σ index·stride. Strides count elements. */
export interface Strides {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** Whether the elements follow one another in row-major order. The stride of an axis of size 1 says nothing. */
export function isRowMajor({ shape, strides }: Strides): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; step *= shape[axis--]!)
    if (shape[axis]! > 1 && strides[axis] !== step) return false;
  return true;
}

/** The axes that matter. Two are one where the outer one goes on where the inner one ends. */
function mergedAxes({ shape, strides }: Strides): { sizes: number[]; steps: number[] } {
  const [sizes, steps]: [number[], number[]] = [[], []];
  for (let axis = 0; axis < shape.length; axis++) {
    const [size, step, before] = [shape[axis]!, strides[axis]!, sizes.length - 1];
    if (size === 1) continue;
    if (before >= 0 && steps[before] === size * step) {
      sizes[before]! *= size;
      steps[before] = step;
    } else {
      sizes.push(size);
      steps.push(step);
    }
  }
  return { sizes, steps };
}

/** Copies the elements of a view to `target` in row-major order. The range of the view has been checked. */
export function gatherStrided<E>(
  source: { readonly [index: number]: E },
  view: Strides,
  target: { readonly length: number; [index: number]: E },
): void {
  const { sizes, steps } = mergedAxes(view);
  const size = sizes.pop() ?? 1;
  const step = steps.pop() ?? 1;
  const index = sizes.map(() => 0);
  let from = view.offset;
  for (let to = 0; to < target.length;) {
    for (let i = 0, at = from; i < size; i++, at += step) target[to++] = source[at]!;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++index[axis]! < sizes[axis]!) break;
      from -= sizes[axis]! * steps[axis]!;
      index[axis] = 0;
    }
  }
}
