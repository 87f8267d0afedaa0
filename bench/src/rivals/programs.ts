// Rivals that are built from Go modules, kept by version in the cache folder.
import { existsSync } from "node:fs";
import { assertGo, binaryPath, buildPart, type Part, type Progress } from "@wscluster/e2e";

/** Builds the program unless it is there. Rejects with the reason why it cannot be had. */
export async function buildProgram(part: Part, progress: Progress, signal: AbortSignal): Promise<void> {
  if (existsSync(binaryPath(part.name, part.version))) return;
  await assertGo();
  await buildPart(part, progress, signal);
}
