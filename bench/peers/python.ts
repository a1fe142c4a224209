// A Python program that answers a JSON line with a JSON line.
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

/** glibc's malloc keeps the memory of freed outputs for the next ones, in the place of page faults on every call. */
const KEEP_MEMORY = { MALLOC_MMAP_MAX_: "0", MALLOC_TRIM_THRESHOLD_: String(2 ** 40) };

export type Answer = Readonly<Record<string, unknown>>;

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** One command at a time, one answer to each. */
export class Python {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  #errors = "";
  #waiting: Waiting | undefined;

  constructor(command: string, program: string) {
    this.#child = spawn(command, [program], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...KEEP_MEMORY },
    });
    createInterface(this.#child.stdout).on("line", (line) => this.#settle()?.resolve(JSON.parse(line) as Answer));
    this.#child.stderr.on("data", (text: Buffer) => (this.#errors += text.toString()));
    // What is written to a process that ended is answered by its end.
    this.#child.stdin.on("error", () => undefined);
    this.#child.once("error", (error) => this.#settle()?.reject(error));
    this.#child.once("close", () => {
      const reason = this.#errors.trim().split("\n").at(-1);
      this.#settle()?.reject(new Error(`${command}: ${reason === "" ? "ended without a word" : reason}`));
    });
  }

  #settle(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  /** The answer to the last command, or at first what the process says of itself. */
  answer(): Promise<Answer> {
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  ask(command: object): Promise<Answer> {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
    return this.answer();
  }

  end(): void {
    this.#child.stdin.end();
  }
}
