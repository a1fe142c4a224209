// State dicts as JSON text, to the bit.
import { describe, expect, test } from "vitest";
import { BatchNorm } from "../../src/index.js";
import { findBatchNorms, load, open, save } from "../../src/json.js";
import { save as saveBytes } from "../../src/safetensors.js";
import { strange } from "./files.js";

test.each(["float32", "float64"] as const)("%s: the same bits come back", async (dtype) => {
  const layer = strange(dtype);
  const text = save({ "a.": layer, "b.": new BatchNorm(1) });
  const loaded = await load(text, "a.");
  expect([loaded.dtype, loaded.training]).toEqual([dtype, false]);
  expect(saveBytes(loaded)).toEqual(saveBytes(layer));
  expect(JSON.parse(text)).toBeTypeOf("object");
});

test("the text of a small layer", () => {
  const layer = new BatchNorm(2);
  layer.weight!.set([-0, Infinity]);
  layer.bias!.set([NaN, 0.5]);
  const small = new BatchNorm(1, { affine: false, dtype: "float64" });
  expect(save({ "a.": layer, "b.": small, kernel: { data: Float32Array.of(1, 2), shape: [2, 1] } }))
    .toBe(`{"a.weight":[-0,"Infinity"],
"a.bias":["NaN",0.5],
"a.running_mean":[0,0],
"a.running_var":[1,1],
"a.num_batches_tracked":0,
"b.running_mean":{"dtype":"float64","shape":[1],"data":[0]},
"b.running_var":{"dtype":"float64","shape":[1],"data":[1]},
"b.num_batches_tracked":0,
"kernel":{"dtype":"float32","shape":[2,1],"data":[1,2]}}
`);
});

describe("the text of others", () => {
  const expected = {
    weight: Float32Array.of(1, -0),
    bias: Float32Array.of(NaN, -Infinity),
    running_mean: Float32Array.of(3, 4),
    running_var: Float32Array.of(5, Infinity),
    num_batches_tracked: 7,
  };

  test("of Python, with its own words for what is no number, nested arrays and other entries", async () => {
    const text = `{"bn.weight": [1.0, -0.0], "bn.bias": [NaN, -Infinity], "bn.running_mean": [3.0, 4e0], "bn.running_var": [5.0, Infinity],
      "bn.num_batches_tracked": 7, "conv.weight": [[[1.0]], [[2.0]]], "note": "x", "flag": true, "none": null, "lr": 0.1, "empty": {}}`;
    expect((await load(text, "bn.")).stateDict()).toEqual(expected);
    expect((await load(new TextEncoder().encode(text), "bn.")).stateDict()).toEqual(expected);
    expect((await load(new URL(`data:,${encodeURIComponent(text)}`), "bn.")).stateDict()).toEqual(expected);
    const { tensors } = await open(new Blob([text]));
    expect([...tensors.keys()]).toEqual([
      "bn.weight",
      "bn.bias",
      "bn.running_mean",
      "bn.running_var",
      "bn.num_batches_tracked",
      "lr",
      "empty",
    ]);
    expect(await tensors.get("lr")!.read()).toEqual(Float64Array.of(0.1));
    expect(await findBatchNorms(text)).toEqual([{ prefix: "bn.", channels: 2, dtype: "float32", missing: [] }]);
  });

  test("of JSON.stringify, and tensors", async () => {
    const layer = new BatchNorm(2);
    layer.weight!.set([1, 0.1]);
    expect((await load(JSON.stringify(layer.stateDict()), "")).stateDict()).toEqual(layer.stateDict());
    const tensors = Object.entries(layer.stateDict()).map(([name, data]) => [
      name,
      typeof data === "number" ? data : { data: Array.from(data as Float32Array), shape: [2] },
    ]);
    expect((await load(JSON.stringify(Object.fromEntries(tensors)), "")).stateDict()).toEqual(layer.stateDict());
  });

  test("a counter that is no safe integer is refused, not rounded", async () => {
    const text = save({ ...new BatchNorm(1).stateDict(), num_batches_tracked: 2n ** 53n + 1n });
    expect(text).toContain(String(2n ** 53n + 1n));
    await expect(load(text, "")).rejects.toMatchObject({ code: "ERR_BATCHNORM_VALUE" });
  });
});
