// Command lines: options read, and a mistake told in one line that says what can be given instead.
import { parseArgs, type ParseArgsConfig } from "node:util";
import { isNear } from "../base/other-names.js";

/** The user's mistake, in one line. */
export class UsageError extends Error {}

export type Specification = NonNullable<ParseArgsConfig["options"]>;
type Values<S extends Specification> = ReturnType<typeof parseArgs<{ options: S }>>["values"];

/** "unknown option --jsn: did you mean --json?", or all that there are. */
export function unknownMessage(kind: string, word: string, known: readonly string[]): string {
  const bare = (name: string): string => name.replace(/^-+/, "");
  const isMeant = (name: string): boolean => name.startsWith(bare(word)) || isNear(name, bare(word));
  const near = bare(word) === "" ? undefined : known.find((name) => isMeant(bare(name)));
  return `unknown ${kind} ${word}: ${near === undefined ? `there are ${known.join(", ")}` : `did you mean ${near}?`}`;
}

/**
 * What `args` give of the options specified. A value may begin with "-", as a negative number does: whether it is a good one
 * is said by who reads it.
 *
 * @throws UsageError
 */
export function readArguments<S extends Specification>(args: readonly string[], options: S): Values<S> {
  // Not strict: parseArgs' own messages suggest "--" and "--rate=-1", which no option here takes for an answer.
  const { values, tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") throw new UsageError(`unexpected argument "${token.value}"`);
    const { name, rawName, value } = token;
    if (!Object.hasOwn(options, name))
      throw new UsageError(
        unknownMessage(
          "option",
          rawName,
          Object.keys(options).map((known) => `--${known}`),
        ),
      );
    const takesValue = options[name]!.type === "string";
    if (takesValue && value === undefined) throw new UsageError(`${rawName} needs a value`);
    if (!takesValue && value !== undefined) throw new UsageError(`${rawName} takes no value, got "${value}"`);
  }
  return values;
}
