// What the rounds of `fanout` come to: our CPU per delivery over each rival's, and latencies. Pure.
import { medianOf, type Round } from "../rounds.ts";

type Figures = Readonly<Record<string, number>>;

/** Summary's ratio -> rival and the work in which both are compared. */
const RATIOS: readonly (readonly [name: string, rival: string, work: string])[] = [
  ["vsCentrifugo", "centrifugo", "50"],
  ["vsCentrifugo", "centrifugo", "200"],
  ["vsCentrifugo", "centrifugo", "1000"],
  ["vsCentrifugo", "centrifugo", "Rooms"],
  ["vsCentrifugo", "centrifugo", "Lists"],
  ["vsWriteDelay", "centrifuge+delay", "50"],
  ["vsWriteDelay", "centrifuge+delay", "200"],
  ["vsWriteDelay", "centrifuge+delay", "1000"],
  ["vsSocketIo", "socket.io", "50"],
  ["vsSocketIo", "socket.io", "200"],
  ["vsSocketIo", "socket.io", "1000"],
  ["vsBun", "bun", "200"],
  ["vsBun", "bun", "1000"],
];

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;

/** Rounds in which others had more of the server's core count only where there is no better one. Percent. */
const FOREIGN_LIMIT = 20;

/** A figure's median over the contender's calm rounds of that work, or over all when none was calm. */
function calmMedian(rounds: readonly Round[], contender: string, name: string, work: string): number | undefined {
  const own = rounds.flatMap(({ contender: of, figures }) => (of === contender ? [figures] : []));
  const calm = own.filter((figures) => (figures[`foreignPercent${work}`] ?? 0) <= FOREIGN_LIMIT);
  const values = (calm.length > 0 ? calm : own).flatMap((figures) => figures[`${name}${work}`] ?? []);
  return values.length === 0 ? undefined : medianOf(values);
}

/** What was not measured is left out: a ratio to nothing would look like a win. */
export function summaryOf(rounds: readonly Round[]): Figures {
  const ours = (name: string, work: string) => calmMedian(rounds, "wscluster", name, work);
  const summary: Record<string, number> = {};
  const copy = (key: string, value: number | undefined): void => {
    if (value !== undefined) summary[key] = rounded(value);
  };
  copy("cpuUsPerDelivery", ours("cpuUsPerDelivery", "200"));
  for (const [name, rival, work] of RATIOS) {
    const theirs = calmMedian(rounds, rival, "cpuUsPerDelivery", work);
    const own = ours("cpuUsPerDelivery", work);
    if (own !== undefined && theirs !== undefined && theirs > 0) copy(`${name}${work}`, own / theirs);
  }
  // At 200/s the generator may be too busy to be believed; then the rate at which both could be timed is told.
  const theirs = (work: string) => calmMedian(rounds, "centrifugo", "p99Ms", work);
  const timed = ["200", "50"].find((work) => ours("p99Ms", work) !== undefined && theirs(work) !== undefined);
  if (timed !== undefined) {
    copy("p99AtRate", Number(timed));
    copy("p99Ms", ours("p99Ms", timed));
    copy("p99MsCentrifugo", theirs(timed));
  }
  // What others took of the server's core while ours was measured: above the limit, run it again on a calmer machine.
  copy("foreignPercent", Math.max(...["50", "200", "1000"].map((work) => ours("foreignPercent", work) ?? 0)));
  const [alone, beside] = [ours("p99Ms", "AllRead"), ours("p99Ms", "SomeDeaf")];
  if (alone !== undefined && beside !== undefined && alone > 0) copy("p99RatioBesideDeaf", beside / alone);
  return summary;
}
