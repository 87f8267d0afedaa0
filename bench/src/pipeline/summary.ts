// What the rounds of `pipeline` come to. Pure.
import { mediansOf, type Round } from "../rounds.ts";

/** A rate counts as borne while the slowest hundredth is below it. Milliseconds; the goal of docs/performance.md. */
const GOAL_P99_MS = 10;

export function summaryOf(rounds: readonly Round[], rates: readonly number[]): Readonly<Record<string, number>> {
  const [ours, theirs] = [mediansOf(rounds, "wscluster"), mediansOf(rounds, "centrifugo")];
  const borne = (figures: Readonly<Record<string, number>>): number =>
    Math.max(
      0,
      ...rates.filter((rate) => !((figures[`p99Ms${rate}`] ?? Infinity) > GOAL_P99_MS) && !figures[`missing${rate}`]),
    );
  const top = rates.at(-1) ?? 0;
  const summary: Record<string, number> = {
    p50Ms: ours[`p50Ms${top}`] ?? 0,
    p99Ms: ours[`p99Ms${top}`] ?? 0,
    maxRate: borne(ours),
  };
  if (Object.keys(theirs).length === 0) return summary;
  summary["maxRateCentrifugo"] = borne(theirs);
  for (const rate of rates) {
    for (const figure of ["p50Ms", "p99Ms", "cpuUsServers", "cpuUsRedis"]) {
      const [own, other] = [ours[`${figure}${rate}`], theirs[`${figure}${rate}`]];
      if (own !== undefined && other !== undefined && other > 0)
        summary[`${figure}VsCentrifugo${rate}`] = rounded(own / other);
    }
  }
  return summary;
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;
