// Errors: TypeError for a wrong kind, RangeError for a wrong value, each with a stable code.

/** Stable codes of the errors this package throws, in their `code` property. */
export type ErrorCode =
  | "ERR_BATCHNORM_TYPE" // an argument of the wrong kind
  | "ERR_BATCHNORM_VALUE" // a number or string out of range
  | "ERR_BATCHNORM_OPTION" // an unknown option, or options that exclude each other
  | "ERR_BATCHNORM_SHAPE" // a shape or length that does not fit
  | "ERR_BATCHNORM_ALIAS" // outputs that overlap other arrays
  | "ERR_BATCHNORM_DETACHED" // an array whose buffer was transferred away
  | "ERR_BATCHNORM_SINGLE_VALUE" // one value per channel in training
  | "ERR_BATCHNORM_SAVED" // no saved forward, a used one, or one whose data changed
  | "ERR_BATCHNORM_STATE" // a state dict that does not fit the layer
  | "ERR_BATCHNORM_BACKEND"; // a backend named by option or environment that cannot be used

export function typeError(code: ErrorCode, message: string): TypeError {
  return Object.assign(new TypeError(message), { code });
}

export function rangeError(code: ErrorCode, message: string): RangeError {
  return Object.assign(new RangeError(message), { code });
}

/** What a caught value says: anything can be thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A backend named by option or by `BATCHNORM_BACKEND` that cannot be used, and why. */
export class BackendUnavailableError extends Error {
  override readonly name = "BackendUnavailableError";
  readonly code: ErrorCode = "ERR_BATCHNORM_BACKEND";

  constructor(
    readonly backend: string,
    readonly reason: string,
  ) {
    super(`backend "${backend}" cannot be used: ${reason}`);
  }
}
