// What the rounds of `fanout` come to: our CPU per delivery over each rival's, and latencies. Pure.
import { mediansOf, type Round } from "../rounds.ts";

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

/** What was not measured is left out: a ratio to nothing would look like a win. */
export function summaryOf(rounds: readonly Round[]): Figures {
  const ours = mediansOf(rounds, "wscluster");
  const summary: Record<string, number> = {};
  const copy = (key: string, value: number | undefined): void => {
    if (value !== undefined) summary[key] = rounded(value);
  };
  copy("cpuUsPerDelivery", ours["cpuUsPerDelivery200"]);
  for (const [name, rival, work] of RATIOS) {
    const theirs = mediansOf(rounds, rival)[`cpuUsPerDelivery${work}`];
    const own = ours[`cpuUsPerDelivery${work}`];
    if (own !== undefined && theirs !== undefined && theirs > 0) copy(`${name}${work}`, own / theirs);
  }
  // At 200/s the generator may be too busy to be believed; then the rate at which both could be timed is told.
  const rivals = mediansOf(rounds, "centrifugo");
  const work = ["200", "50"].find((name) => ours[`p99Ms${name}`] !== undefined && rivals[`p99Ms${name}`] !== undefined);
  if (work !== undefined) {
    copy("p99AtRate", Number(work));
    copy("p99Ms", ours[`p99Ms${work}`]);
    copy("p99MsCentrifugo", rivals[`p99Ms${work}`]);
  }
  // What others took of the server's core while ours was measured: above 10, run it again on a calmer machine.
  copy("foreignPercent", Math.max(...["50", "200", "1000"].map((name) => ours[`foreignPercent${name}`] ?? 0)));
  const [alone, beside] = [ours["p99MsAllRead"], ours["p99MsSomeDeaf"]];
  if (alone !== undefined && beside !== undefined && alone > 0) copy("p99RatioBesideDeaf", beside / alone);
  return summary;
}
