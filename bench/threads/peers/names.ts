// Who is timed, in the order of the columns.
export const OURS = {
  arena: "batchnorm, shared arena",
  one: "batchnorm, shared arena, one thread",
  arrays: "batchnorm, arrays",
} as const;

export const OTHERS = {
  onnx: "onnxruntime-web",
  onnxComposed: "onnxruntime-web, composed",
  tensors: "TensorFlow.js, tensors",
  tensorsComposed: "TensorFlow.js, tensors, composed",
  arraysComposed: "TensorFlow.js, arrays, composed",
} as const;

export function isOurs(who: string): boolean {
  return Object.values(OURS).some((name) => name === who);
}

/** From JavaScript's arrays to JavaScript's arrays, copies included. */
export function copies(who: string): boolean {
  return ([OURS.arrays, OTHERS.onnx, OTHERS.onnxComposed, OTHERS.arraysComposed] as string[]).includes(who);
}
