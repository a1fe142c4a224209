// Copies of tokens: one by spread is the same token, and a structured clone has a life of its own from then on.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormTraining,
  type Saved,
} from "../../src/index.js";
import { normals, tokenOf } from "../support/reference.js";
import { expectRejected, range, SAVED, type Rejection } from "../support/rejected.js";

const SHAPE = [6, 3];
const x = normals("float32", 18, 1);
const dy = normals("float32", 18, 2);

type Token = Saved<"float32">;
const forward = (data: Float32Array = x.slice()): Token => batchNormTraining(data, SHAPE).saved;
const spread = (token: Token): Token => ({ ...token });
const clone = (token: Token): Token => structuredClone(token);

const USED = range(SAVED, '"saved" was already used by a backward: run forward again');
const LOST = range(SAVED, `"saved" lost its x: the backward's "out" was x`);
const ENDED = range(
  SAVED,
  '"saved" refers to the memory of a layer with "reuse", which a later call has overwritten: ' +
    'run the backward before that call, or pass "out"',
);
const refused = (token: Token, expected: Rejection): void =>
  expectRejected(() => batchNormBackward(dy, token), [token], expected);

describe.each([
  ["spread", spread],
  ["structuredClone", clone],
])("a copy by %s", (_, copy) => {
  test("of a used token is used", () => {
    const token = forward();
    batchNormBackward(dy, token);
    refused(copy(token), USED);
    refused(copy(copy(token)), USED);
  });

  test("of a token whose x was overwritten has lost it", () => {
    const token = forward();
    batchNormBackward(dy, token, { out: token.x });
    expectRejected(() => batchNormDoubleBackward(copy(token), dy, {}), [token], LOST);
  });

  test("of a token whose memory a layer has overwritten has ended", () => {
    const layer = new BatchNorm(3, { reuse: true });
    layer.forward(x, SHAPE, { save: "output" });
    const token = tokenOf(layer.saved);
    layer.forward(x, SHAPE, { save: "output" });
    refused(copy(token), ENDED);
    const newest = tokenOf(layer.saved);
    const expected = batchNormBackward(dy, clone(newest));
    expect(batchNormBackward(dy, copy(newest))).toEqual(expected);
  });

  test("serves one backward", () => {
    const copied = copy(forward());
    expect(batchNormBackward(dy, copied)).toEqual(batchNormBackward(dy, forward()));
    refused(copied, USED);
  });
});

test("a spread copy and its original are one: using either uses both", () => {
  const [first, second] = [forward(), forward()];
  const copies = [spread(first), spread(second)] as const;
  batchNormBackward(dy, first);
  refused(copies[0], USED);
  batchNormBackward(dy, copies[1]);
  refused(second, USED);
});

test("a clone made before is untouched by what becomes of the original", () => {
  const layer = new BatchNorm(3, { reuse: true });
  layer.forward(x, SHAPE, { save: "output" });
  const token = tokenOf(layer.saved);
  const [first, second] = [clone(token), clone(token)];
  const expected = batchNormBackward(dy, first);
  layer.forward(dy, SHAPE, { save: "output" });
  refused(token, ENDED);
  expect(batchNormBackward(dy, second)).toEqual(expected);
});

test("a frozen copy serves one backward too", () => {
  const copied = Object.freeze(spread(forward()));
  batchNormBackward(dy, copied);
  refused(copied, USED);
});
