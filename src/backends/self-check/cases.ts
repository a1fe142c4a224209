// The arrays of the self-check's cases, of the rows of table.ts.
import type { Control } from "../../kernels/control.js";
import { inputsOf } from "./inputs.js";
import { narrow } from "../../base/storage.js";
import { floatTypeOf, isStoredIn16Bits, type Data, type DType, type Floats } from "../../base/types.js";
import { TABLE, type CaseRow } from "./table.js";
import { plainTools, type Tools } from "./tools.js";

export interface Case extends CaseRow {
  readonly tools: Tools;
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

function controlOf(tools: Tools, dtype: DType, { extent, data, threads }: CaseRow): Control {
  const control = tools.controlOf(dtype, extent);
  const { fields } = control;
  control.set("eps", data === "constant" ? 0 : 1e-5);
  control.set("slope", 0.3);
  control.set("low", -0.5);
  control.set("high", 2);
  control.set("threads", threads);
  control.set("grain", 1);
  for (let c = 0; c < extent.channels; c++) {
    const isNegative = data === "special" && c % 2 === 1;
    fields.weight[c] = isNegative ? -1 - c / 4 : 1 + c / 4;
    fields.slope[c] = ((c % 5) - 1) / 4;
    fields.bias[c] = data === "special" && c % 4 === 2 ? -0 : (c - 8) / 7;
  }
  return control;
}

/** A row's case for one element type, without weights or with them. It ends the last one that the tools made. */
export function caseOf(row: CaseRow, dtype: DType, isWeighted: boolean, tools = plainTools()): Case {
  tools.begin();
  const [x, dy, residual, w] = inputsOf(tools.sample, dtype, row);
  // The sums alone have no outputs.
  const fresh = (): Data => tools.allocate(dtype, row.variants ? x.length : 0);
  const put = (type: DType, values: Float64Array | Uint16Array): Data => {
    const data = tools.allocate(type, values.length);
    data.set(values);
    return data;
  };
  const stored = (input: Float64Array): Data =>
    put(dtype, isStoredIn16Bits(dtype) ? narrow(dtype, new Float32Array(input)) : input);
  return {
    ...row,
    tools,
    number: TABLE.indexOf(row),
    dtype,
    control: controlOf(tools, dtype, row),
    x: stored(x),
    dy: stored(dy),
    residual: stored(residual),
    out: fresh(),
    stored: fresh(),
    dresidual: fresh(),
    w: isWeighted ? (put(floatTypeOf(dtype), w()) as Floats) : null,
  };
}

/** The cases of one element type, in the order of their hashes. */
export function* cases(dtype: DType, isWeighted: boolean): Generator<Case, void, undefined> {
  for (const row of TABLE) yield caseOf(row, dtype, isWeighted);
}
