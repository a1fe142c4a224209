/**
 * Errors and their codes.
 *
 * @module errors
 */
export { BackendUnavailableError, type ErrorCode } from "../../../src/index.js";
