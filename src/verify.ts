// `batchnorm/verify`: whether the backends compute here the bits they compute everywhere.
export type { BackendName } from "./backends/candidates.js";
export type { InstructionSet } from "./backends/native/instruction-sets.js";
export { verify, type Verification, type VerifyOptions } from "./verify/verify.js";
