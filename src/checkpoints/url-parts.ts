// Parts of a file that a server has.
import { rangeError, typeError } from "../base/errors.js";

/** Node's fetch does not read files, though a file beside a module has such a URL. */
async function fetched(href: string, options?: RequestInit): Promise<Response> {
  try {
    return await fetch(href, options);
  } catch (error) {
    if (!href.startsWith("file:")) throw error;
    const text = `"file" expected a URL that can be fetched here, got ${href}: pass what readFile or open of node:fs/promises give`;
    throw typeError("ERR_BATCHNORM_TYPE", text);
  }
}

export const fetchAll = (href: string): Promise<Response> => fetched(href);

export const fetchRange = (href: string, begin: number, length: number): Promise<Response> =>
  fetched(href, { headers: { Range: `bytes=${begin}-${begin + length - 1}` } });

/** The bytes of a part, and the size of the whole. A page may not see the header that says it, of another site. */
export async function partOf(
  response: Response,
  begin: number,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; size: number | null }> {
  const header = response.headers.get("Content-Range");
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+)?/.exec(header ?? "") ?? [];
  if (response.status !== 206 || Number(start ?? begin) !== begin) {
    const got = `status ${response.status}${header === null ? "" : ` and ${header}`}`;
    throw rangeError("ERR_BATCHNORM_FILE", `the server expected to send the bytes from ${begin} on, got ${got}`);
  }
  return { bytes: new Uint8Array(await response.arrayBuffer()), size: total === undefined ? null : Number(total) };
}
