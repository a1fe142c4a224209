// The arrays of the self-check's cases, of the rows of table.ts.
import { Control } from "../../kernels/control.js";
import { inputsOf } from "./inputs.js";
import { narrow } from "../../base/storage.js";
import { allocate, floatTypeOf, isStoredIn16Bits, type Data, type DType, type Floats } from "../../base/types.js";
import { TABLE, type CaseRow } from "./table.js";

export interface Case extends CaseRow {
  /** The number of its row. */
  readonly number: number;
  readonly dtype: DType;
  readonly control: Control;
  readonly x: Data;
  readonly dy: Data;
  readonly residual: Data;
  readonly out: Data;
  readonly stored: Data;
  readonly dresidual: Data;
  /** null in the cases without weights. */
  readonly w: Floats | null;
}

function controlOf(dtype: DType, { extent, data, threads }: CaseRow): Control {
  const control = new Control(dtype, extent);
  const { fields } = control;
  control.set("eps", data === "constant" ? 0 : 1e-5);
  control.set("slope", 0.3);
  control.set("threads", threads);
  control.set("grain", 1);
  for (let c = 0; c < extent.channels; c++) {
    const isNegative = data === "special" && c % 2 === 1;
    fields.weight[c] = isNegative ? -1 - c / 4 : 1 + c / 4;
    fields.bias[c] = data === "special" && c % 4 === 2 ? -0 : (c - 8) / 7;
  }
  return control;
}

/** A row's case for one element type, without weights or with them. */
export function caseOf(row: CaseRow, dtype: DType, isWeighted: boolean): Case {
  const [x, dy, residual, w] = inputsOf(dtype, row);
  // The sums alone have no outputs.
  const fresh = (): Data => allocate(dtype, row.variants ? x.length : 0);
  const computed = (input: Float64Array): Floats =>
    floatTypeOf(dtype) === "float32" ? new Float32Array(input) : input;
  const stored = (input: Float64Array): Data =>
    isStoredIn16Bits(dtype) ? narrow(dtype, new Float32Array(input)) : computed(input);
  return {
    ...row,
    number: TABLE.indexOf(row),
    dtype,
    control: controlOf(dtype, row),
    x: stored(x),
    dy: stored(dy),
    residual: stored(residual),
    out: fresh(),
    stored: fresh(),
    dresidual: fresh(),
    w: isWeighted ? computed(w) : null,
  };
}

/** The cases of one element type, in the order of their hashes. */
export function* cases(dtype: DType, isWeighted: boolean): Generator<Case, void, undefined> {
  for (const row of TABLE) yield caseOf(row, dtype, isWeighted);
}
