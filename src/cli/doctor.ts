// batchnorm doctor: what runs here, and what to do about what does not.
import { verify, type Verification } from "../verify.js";
import { readArguments } from "./arguments.js";
import { refuseDamaged } from "../backends/native/native.js";
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
  const { json, verify: isVerified } = readArguments(args, { json: { type: "boolean" }, verify: { type: "boolean" } });
  refuseDamaged();
  const report = makeReport(isVerified ? verifyAll : null);
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report));
  return report.ok ? ExitCode.good : ExitCode.wrong;
}
