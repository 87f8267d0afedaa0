// Runs the operator's rehearsal program: one invented fleet, one contender, one line of JSON back.
import { spawn } from "node:child_process";
import { join } from "node:path";

export type RehearsalRequest = {
  readonly scene: "day" | "noise" | "smallest" | "plan";
  readonly contender: string;
  readonly pods: number;
  readonly connectionsPerPod: number;
  readonly seed: number;
  readonly hours: number;
};

export class RehearsalError extends Error {
  readonly code = "rehearsal-failed";
}

/** A program beside us in the repository, not a dependency: the operator does not export it. */
const PROGRAM = join(import.meta.dirname, "..", "..", "..", "operator", "src", "rebalance", "rehearsal", "main.ts");

/** @throws RehearsalError when the program fails; rejects with the signal's reason when aborted. */
export async function rehearse(
  request: RehearsalRequest,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const argv = ["--conditions=@wscluster/source", PROGRAM, JSON.stringify(request)];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"], signal });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new RehearsalError(`cannot rehearse ${JSON.stringify(request)}: exit code ${code}`);
  return numbersOf(JSON.parse(text));
}

function numbersOf(value: unknown): Readonly<Record<string, number>> {
  if (typeof value !== "object" || value === null)
    throw new RehearsalError("cannot read the rehearsal: no object came back");
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}
