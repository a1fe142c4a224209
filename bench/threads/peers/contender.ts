// Who is timed in the page.
import type { Operation } from "../../shapes.js";
import type { Problem, Task } from "../../peers/peer.js";

export interface Prepared extends Task {
  /** How many threads worked on its calls, at most; absent where the library does not tell. */
  readonly worked?: () => number;
  readonly dispose: () => void | Promise<void>;
}

export interface Contender {
  readonly who: string;
  /** One operation at a time, since a page has room for few tensors; or why there is none. */
  readonly prepare: (op: Operation, problem: Problem) => Prepared | string | Promise<Prepared | string>;
}
