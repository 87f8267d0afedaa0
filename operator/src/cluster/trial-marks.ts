// The marks of a trial as an annotation. Pure.
import { z } from "zod";
import { TRIAL_PHASES, type TrialMarks } from "./facts.ts";

const count = z.int().min(0);
const marks = z.object({
  index: count,
  phase: z.enum(TRIAL_PHASES),
  sinceMs: z.number(),
  judgedFromMs: z.number(),
  wantedPods: count,
  oldPods: count,
  oldConnections: count,
});

export function trialText(trial: TrialMarks): string {
  return JSON.stringify(trial);
}

/** Undefined when absent or broken: the trial then begins anew, which moves nobody back. */
export function parseTrial(text: string | undefined): TrialMarks | undefined {
  if (text === undefined) return undefined;
  try {
    const parsed = marks.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
