#!/usr/bin/env node
// npx batchnorm: what runs here and why, and how fast.
import { messageOf } from "../base/errors.js";
import { UsageError, unknownMessage } from "./arguments.js";
import { bench } from "./bench.js";
import { buildMpi } from "./build-mpi.js";
import { doctor } from "./doctor.js";
import { ExitCode, HELP } from "./usage.js";
import { packageVersion } from "./version.js";

const COMMANDS: Readonly<Record<string, (args: string[]) => ExitCode>> = {
  doctor,
  bench,
  "build-mpi": buildMpi,
};

function run([command, ...args]: string[]): ExitCode {
  const asksForHelp = [command, ...args].some((arg) => arg === "--help" || arg === "-h");
  if (asksForHelp) process.stdout.write(HELP);
  else if (command === "--version" || command === "-v") process.stdout.write(`${packageVersion}\n`);
  else if (command === undefined) throw new UsageError(`a command is missing: ${Object.keys(COMMANDS).join(", ")}`);
  else if (!Object.hasOwn(COMMANDS, command))
    throw new UsageError(unknownMessage("command", command, [...Object.keys(COMMANDS), "--help", "--version"]));
  else return COMMANDS[command]!(args);
  return ExitCode.good;
}

// Without a listener, the error of a stream ends in a stack trace. Who reads the output may stop early, and knows it.
process.stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
  if (code !== "EPIPE") console.error(`batchnorm: the output cannot be written: ${message}`);
  process.exitCode = ExitCode.wrong;
});

try {
  process.exitCode = run(process.argv.slice(2));
} catch (error) {
  console.error(`batchnorm: ${messageOf(error)}`);
  const isUsage = error instanceof UsageError;
  if (isUsage) console.error("npx batchnorm --help lists commands and options");
  process.exitCode = isUsage ? ExitCode.usage : ExitCode.wrong;
}
