// The command line of `npm run bench:peers`.
import {
  OptionError,
  integer,
  items,
  listOf,
  path,
  readArguments,
  text,
  list,
  flag,
} from "../../scripts/tools/command-line.js";
import { QUIET_HELP } from "../quiet.js";
import { layoutsOf, OPERATIONS, shapes, type Operation } from "../shapes.js";
import type { Setting } from "../plan.js";
import { allows, readSelection, SELECTABLE, type Category, type Selection } from "../selection.js";
import { LAYERS } from "./resnet50.js";

/** Those the library is compared with. */
export const PEERS = [
  "plain-js",
  "tfjs-cpu",
  "tfjs-wasm",
  "onnxruntime-node",
  "onnxruntime-web",
  "pytorch",
  "onednn",
] as const;
export type PeerName = (typeof PEERS)[number];
/** Those that are npm packages. */
export const PACKAGED: readonly PeerName[] = ["tfjs-cpu", "tfjs-wasm", "onnxruntime-node", "onnxruntime-web"];

export interface PeerOptions {
  readonly selection: Selection;
  /** Whether the layers of ResNet-50 are timed too. */
  readonly resnet50: boolean;
  readonly peers: readonly PeerName[];
  readonly json: string | null;
  readonly html: string | null;
  readonly markdown: string | null;
  readonly quietCheck: boolean;
  readonly quick: boolean;
  readonly seconds: number;
  /** Rounds of a group at most. */
  readonly rounds: number;
}

/** Without those that resemble others and the largest, which are timed by name. */
const DEFAULT_SHAPES = ["A", "B", "C", "D", "E", "F", "K", "L", "M"];
const RESNET = "resnet50";
const CATEGORIES: readonly Category[] = ["shape", "layout", "op"];

const FULL = { seconds: "600", rounds: 40 };
const QUICK = { seconds: "40", rounds: 10 };

export const HELP = `Times the library beside others on the same tensors, in turns, after checking their results against ours.

Usage: npm run bench:peers -- [options]

  --only TEXT      what to time, several by commas or by repeating it: op (${OPERATIONS.join(", ")}),
                   shape (${SELECTABLE.shape.join("")}; default ${DEFAULT_SHAPES.join("")}), layout,
                   ${RESNET}: a table of its 53 layers, without tfjs-cpu, at least 5 minutes
  --peers LIST     ${PEERS.join(", ")} (default: all)
  --quick          fewer rounds, and tfjs-cpu on small tensors alone, in at most 90 s
  --seconds N      time to divide among all that is timed (default ${FULL.seconds}; ${QUICK.seconds} with --quick)
  --json FILE      write every row, what was not timed and why, and the targets
  --html FILE      write the tables with charts
  --markdown FILE  write the tables, and beside FILE the chart peers.svg
${QUIET_HELP}
  --help           this text

The first run with a peer that is an npm package installs those of bench/peers/packages, half a gigabyte. PyTorch
takes part where python3 or /usr/bin/python3 has it, oneDNN where g++ finds it (on Debian libdnnl-dev).
`;

const SPECIFICATION = {
  only: list,
  peers: list,
  quick: flag,
  "quiet-check": flag,
  seconds: text,
  json: text,
  html: text,
  markdown: text,
  help: flag,
} as const;

function selectionOf(words: readonly string[]): Selection {
  const known = CATEGORIES.flatMap((category) => SELECTABLE[category] as readonly string[]);
  for (const word of words) {
    const { selection, unknown } = readSelection([word]);
    const fits = Object.keys(selection).every((category) => CATEGORIES.some((one) => one === category));
    if (unknown !== undefined || !fits) {
      const names = [...known.filter((name) => name !== "forward+read"), RESNET];
      throw new OptionError(`--only must be of ${names.join(", ")}, got "${word}"`);
    }
  }
  return readSelection(words).selection;
}

/** The options in `args`, or null where help is asked for. */
export function parsePeerOptions(args: readonly string[]): PeerOptions | null {
  const given = readArguments(args, SPECIFICATION);
  if (given.help) return null;
  const quick = given.quick ?? false;
  const { seconds, rounds } = quick ? QUICK : FULL;
  const words = items(given.only);
  return {
    selection: selectionOf(words.filter((word) => word !== RESNET)),
    resnet50: words.includes(RESNET),
    peers: listOf("peers", PEERS, given.peers) ?? PEERS,
    json: path("json", given.json),
    html: path("html", given.html),
    markdown: path("markdown", given.markdown),
    quietCheck: given["quiet-check"] ?? false,
    quick,
    seconds: integer("seconds", given.seconds ?? seconds, 1, 86_400),
    rounds,
  };
}

/** float32 data, the one type that all peers know. */
export type PeerSetting = Setting & { readonly dtype: "float32" };

export interface PeerGroup extends PeerSetting {
  readonly operations: readonly Operation[];
}

/** Where ResNet-50 is named, shapes are timed only if one of them is named too. */
export function planPeers({ selection, resnet50 }: Pick<PeerOptions, "selection" | "resnet50">): PeerGroup[] {
  const named = selection.shape ?? (resnet50 ? [] : DEFAULT_SHAPES);
  const wanted = [...shapes.filter(({ name }) => named.includes(name)), ...(resnet50 ? LAYERS : [])];
  return wanted.flatMap((shape) => {
    const operations = shape.operations.filter((op) => allows(selection, "op", op));
    return layoutsOf(shape)
      .filter((layout) => operations.length > 0 && allows(selection, "layout", layout))
      .map((layout): PeerGroup => ({
        shape,
        layout,
        data: "gaussian",
        dtype: "float32",
        variant: "plain",
        operations,
      }));
  });
}
