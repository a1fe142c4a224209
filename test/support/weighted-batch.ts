// A batch of four samples and their weights, for the tests of the public calls.
import { normals } from "./reference.js";

export const SHAPE = [4, 3, 5, 2];
export const SIZE = 120;
export const POSITIONS = 40;
export const x = normals("float32", SIZE, 1);
export const dy = normals("float32", SIZE, 2);
export const perSample = Float32Array.of(1, 0, 2.5, 0.5);
export const perPosition = Float32Array.from({ length: POSITIONS }, (_, p) => perSample[Math.floor(p / 10)]!);
