// The text of docs/cost.md around its tables.
import { OptionError } from "../../scripts/tools/command-line.js";
import { costsOf } from "./cost.js";
import { costSections, crossoverSections, zeroSections } from "./cost-tables.js";
import { describe, type Results } from "./results.js";
import { ENOUGH, LARGEST_PLANE, SIZES_CHANNELS } from "../sweep.js";
import { count } from "./sizes.js";
import { markdownTable, type Section } from "./table.js";

function tables(sections: readonly Section[]): string {
  return sections.map((section) => `**${section.title}**\n\n${markdownTable(section)}`).join("\n\n");
}

/** @throws OptionError where the rows have no costs to fit. */
export function costPage({ environment, rows }: Results): string {
  const costs = costsOf(rows);
  if (costs.length === 0) throw new OptionError("--markdown needs the rows of --only cost");
  return `# Cost as work grows

What a call takes, as a function of its size, and from which size on a backend is the better one. Written by
\`npm run bench\`; all figures are medians on one machine: ${describe(environment)}.

## A fitted table

    time = call + channels × channel + values × value

A _call_ is what any call costs, a _channel_ what is done once a channel (coefficients, running statistics), a _value_ what
is done for each of the tensor's numbers. Values past a cache cost more: where one line describes all sizes badly, the
values of larger tensors have a cost of their own (_larger: value_, of tensors _larger than_ so many values), and the
break is the measured size that leaves the least squares, if those are at most half of one line's and that line's errors
exceed 5 %. Costs are not
negative; the fit has the least squares of the relative error, so that a small call counts like a large one. The errors
are the fit's own, relative to the measured times: where they are large, the sum above is not how time grows. Times on
several threads are of the tensors that the library shares between that many, so they say nothing of smaller ones, and
their _call_ holds what waking a thread takes.

The tensors have 16 to 1024 channels and up to ${count(ENOUGH)} values (with ${SIZES_CHANNELS} channels, channels-first, 10⁸; a backend
stops at the size whose call takes a second). Channels-first, planes grow to ${count(LARGEST_PLANE)} values, then samples are added.
Gaussian data, outputs given, each call after others of the same tensor, so that small ones come from the cache. Arena: x, dy
and the output are in an arena of \`createArena\`, which spares WASM a copy of each.

${tables(costSections(costs))}

## Where one becomes better than another

The number of values from which on a backend takes less time than another, at every size measured, with ${SIZES_CHANNELS}
channels; beside it the same by the fits. _Everywhere_ is from the smallest size on, about a thousand values, _nowhere_
is not even at the largest. Several threads begin at the smallest tensor that the library shares. Where the two columns
differ much, believe the measured one; curves that run side by side cross where noise will have it.

${tables(crossoverSections(costs))}

## At size zero

A tensor without samples is legal: its output is empty, and a call does the work of channels alone. The smallest tensor
that training takes is one channel of two values.

${tables(zeroSections(rows))}

## Commands

    npm run bench -- --only cost --json cost.json --markdown docs/cost.md
    npm run bench -- --from cost.json --charts docs          # docs/sizes.svg, from the same rows
`;
}
