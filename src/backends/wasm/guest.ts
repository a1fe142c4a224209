// The module's own data stand at fixed addresses at the beginning of its memory. In the memory of other modules, where
// theirs stand there too, the two are exchanged around everything that runs. It takes some microseconds.
import { copyInto } from "../../base/arrays.js";

export class Guest {
  readonly #theirs: Uint8Array;
  readonly #own: Uint8Array;

  constructor(
    private readonly memory: WebAssembly.Memory,
    private readonly dataEnd: number,
  ) {
    this.#theirs = new Uint8Array(dataEnd);
    this.#own = new Uint8Array(dataEnd);
  }

  /** Runs code of the module. */
  visit<T>(body: () => T): T {
    const place = new Uint8Array(this.memory.buffer, 0, this.dataEnd);
    copyInto(this.#theirs, place);
    copyInto(place, this.#own);
    try {
      return body();
    } finally {
      copyInto(this.#own, place);
      copyInto(place, this.#theirs);
    }
  }
}
