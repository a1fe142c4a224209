/**
 * Errors and their codes.
 *
 * A wrong kind throws a TypeError, and a wrong value throws a RangeError. Both have a property `code`. The message
 * names the argument, what was expected and what was given, for example `"runningMean" expected length 64, got 32`.
 *
 * @module errors
 */
export { BackendUnavailableError, type ErrorCode } from "../../../src/index.js";
