// batchnorm doctor: what runs here, and what to do about what does not.
import { parseArgs } from "node:util";
import { verify, type Verification } from "../verify.js";
import { reportText } from "./doctor-text.js";
import { clearProgress, showProgress } from "./progress.js";
import { makeReport } from "./report.js";
import { ExitCode } from "./usage.js";

function verifyAll(): Verification[] {
  try {
    return verify({ onProgress: (done, total) => showProgress(`verifying: ${done} of ${total} cases`) });
  } finally {
    clearProgress();
  }
}

export function doctor(args: string[]): ExitCode {
  const { values } = parseArgs({ args, options: { json: { type: "boolean" }, verify: { type: "boolean" } } });
  const report = makeReport(values.verify ? verifyAll : null);
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report));
  return report.ok ? ExitCode.good : ExitCode.wrong;
}
