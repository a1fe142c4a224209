// Errors: a TypeError for a wrong kind and a RangeError for a wrong value, each with a stable code.

/**
 * The code of an error that this package throws, in its property `code`. Codes are stable, messages are not.
 *
 * | code | error | meaning |
 * | --- | --- | --- |
 * | `ERR_BATCHNORM_TYPE` | TypeError | An argument has the wrong kind. |
 * | `ERR_BATCHNORM_VALUE` | RangeError | A number is out of range, or a string is not one of the allowed ones. |
 * | `ERR_BATCHNORM_OPTION` | TypeError | An option is unknown. |
 * | `ERR_BATCHNORM_OPTION` | RangeError | Two options exclude each other, or an option needs something that is absent. |
 * | `ERR_BATCHNORM_SHAPE` | RangeError | A shape, an axis or the length of an array does not fit. |
 * | `ERR_BATCHNORM_ALIAS` | RangeError | An output shares memory with an array that it must not overwrite. |
 * | `ERR_BATCHNORM_DETACHED` | TypeError | The buffer of an array was transferred to another thread, or made too small for it. |
 * | `ERR_BATCHNORM_SINGLE_VALUE` | RangeError | In training there is one value per channel. See the option `singleValue`. |
 * | `ERR_BATCHNORM_NOT_FINITE` | RangeError | A statistic of the batch is NaN or infinite. See the option `onNonFinite`. |
 * | `ERR_BATCHNORM_SAVED` | TypeError | A backward was not given the token of a forward. |
 * | `ERR_BATCHNORM_SAVED` | RangeError | The token was used already, its data changed, or it does not fit the call. |
 * | `ERR_BATCHNORM_STATE` | RangeError | A state dict does not fit the layer, an arena is disposed of, or a memory has an arena already. |
 * | `ERR_BATCHNORM_FILE` | RangeError | A checkpoint file is damaged, cut short, or of another format. |
 * | `ERR_BATCHNORM_PACKAGE` | RangeError | A package that reads a format of files is not installed. |
 * | `ERR_BATCHNORM_MEMORY` | RangeError | An array is longer than this engine or machine allows, or a tensor without elements has too many channels. |
 * | `ERR_BATCHNORM_BUSY` | RangeError | As many asynchronous calls wait or run as `maxPending` allows. |
 * | `ERR_BATCHNORM_GROUP` | GroupError | A rank of a group did not come in time, has ended, failed, or made another call. |
 * | `ERR_BATCHNORM_MPI` | RangeError | The addon for MPI is not built, cannot be loaded, or another MPI started the ranks. |
 * | `ERR_BATCHNORM_BACKEND` | BackendUnavailableError | The backend that was asked for cannot be used, or a worker of it died. |
 *
 * An error is thrown before anything is written.
 */
export type ErrorCode =
  | "ERR_BATCHNORM_TYPE"
  | "ERR_BATCHNORM_VALUE"
  | "ERR_BATCHNORM_OPTION"
  | "ERR_BATCHNORM_SHAPE"
  | "ERR_BATCHNORM_ALIAS"
  | "ERR_BATCHNORM_DETACHED"
  | "ERR_BATCHNORM_SINGLE_VALUE"
  | "ERR_BATCHNORM_NOT_FINITE"
  | "ERR_BATCHNORM_SAVED"
  | "ERR_BATCHNORM_STATE"
  | "ERR_BATCHNORM_FILE"
  | "ERR_BATCHNORM_PACKAGE"
  | "ERR_BATCHNORM_MEMORY"
  | "ERR_BATCHNORM_BUSY"
  | "ERR_BATCHNORM_GROUP"
  | "ERR_BATCHNORM_MPI"
  | "ERR_BATCHNORM_BACKEND";

export function typeError(code: ErrorCode, message: string): TypeError {
  return Object.assign(new TypeError(message), { code });
}

export function rangeError(code: ErrorCode, message: string): RangeError {
  return Object.assign(new RangeError(message), { code });
}

/** The message of a caught value. Anything can be thrown, so it need not be an Error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The backend that was asked for cannot be used. It was named by the option `backend` or by the environment variable
 * `BATCHNORM_BACKEND`. No other backend is used in its place.
 */
export class BackendUnavailableError extends Error {
  /** The name of this class. */
  override readonly name = "BackendUnavailableError";
  /** The code of this error, which is always `"ERR_BATCHNORM_BACKEND"`. */
  readonly code: ErrorCode = "ERR_BATCHNORM_BACKEND";

  /**
   * Makes the error. The package throws it. You need not construct one.
   *
   * @param backend The name of the backend that was asked for.
   * @param reason Why the backend cannot be used.
   */
  constructor(
    /** The name of the backend that was asked for. */
    readonly backend: string,
    /** Why the backend cannot be used, for example because there is no binary for this platform. */
    readonly reason: string,
  ) {
    super(`backend "${backend}" cannot be used: ${reason}`);
  }
}

/** An array lost its memory while other code ran. */
export function lostArray(what: string): TypeError {
  const message = `${what} was detached or resized before the asynchronous call had ended`;
  return typeError("ERR_BATCHNORM_DETACHED", message);
}
