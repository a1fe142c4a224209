// Pure O(C) functions, without any backend: `batchnorm/math`.
export { mergeMoments, updateRunning, variance, type ChannelMoments } from "./kernels/moments.js";
