// Which connections have to move so that every pod is inside the band, and not one more. Pure: facts in, moves out; the order
// of the facts does not matter. Not here: when to plan (advice.ts), pace (grants.ts).
import { boundFor } from "./bound.ts";
import { byTaking, Desk, EmptiestFirst, Ledger } from "./desks.ts";
import { bandFor, byKey, imbalancePercentOf, TINY, type Band, type PlanFacts, type Taking } from "./plan-facts.ts";

export type PlannedMove = {
  readonly from: string;
  readonly to: string;
  /** Undefined: any of the pod's connections. */
  readonly partition: number | undefined;
  readonly count: number;
  readonly why: string;
};

export type RebalancePlan = {
  readonly moves: readonly PlannedMove[];
  /** Connections. */
  readonly moved: number;
  /** No plan brings all pods into the band with fewer. */
  readonly lowerBound: number;
  readonly beforePercent: number;
  readonly predictedPercent: number;
  /** By key, in percent of the mean. */
  readonly predicted: ReadonlyMap<string, number>;
  readonly limitedBy: "Nothing" | "MoveLimit" | "NoRoom";
};

export function planRebalance(facts: PlanFacts): RebalancePlan {
  const pods = facts.pods.toSorted(byKey);
  const band = bandFor(pods, facts.bandPercent);
  const taking = facts.taking ?? "fewest";
  const desks = pods.map((pod, index) => new Desk(pod, index, taking));
  const ledger = new Ledger(pods.length, Math.max(0, Math.floor(facts.maxMoves)));
  unloadDonors(desks, band, ledger);
  fillRecipients(desks, band, ledger, taking);
  const beforePercent = imbalancePercentOf(pods.map((pod) => pod.load));
  const predictedPercent = imbalancePercentOf(desks.map((desk) => desk.load));
  const lowerBound = boundFor(pods, band);
  // What does not help the farthest pod is churn.
  const helps = predictedPercent < beforePercent - TINY;
  const moves = helps ? movesOf(ledger, band) : [];
  const isInside = desks.every((desk) => desk.load <= band.high + TINY && desk.load >= band.low - TINY);
  return {
    moves,
    moved: moves.reduce((sum, move) => sum + move.count, 0),
    lowerBound,
    beforePercent,
    predictedPercent: helps ? predictedPercent : beforePercent,
    predicted: new Map(desks.map(({ pod, load }) => [pod.key, percentOf(helps ? load : pod.load, band.mean)])),
    limitedBy: isInside ? "Nothing" : ledger.left === 0 ? "MoveLimit" : "NoRoom",
  };
}

/** Farthest donor first, so that a limit on the moves is spent where it helps most. */
function unloadDonors(desks: readonly Desk[], band: Band, ledger: Ledger): void {
  const isAbove = ({ load }: Desk): boolean => load > band.high + TINY;
  const donors = desks.filter((desk) => desk.pod.mayGive && isAbove(desk));
  const takers = new EmptiestFirst(desks.filter((desk) => desk.pod.mayTake && !isAbove(desk)));
  for (const donor of donors.toSorted((a, b) => b.load - a.load || a.index - b.index)) {
    for (const slice of donor.slices) {
      while (ledger.left > 0 && slice.left > 0 && isAbove(donor)) {
        const to = takers.first();
        if (to === undefined) return;
        const needed = Math.ceil((donor.load - band.high) / slice.weight - TINY);
        // First what the taker lacks to be inside, then up to the mean, and only then to the upper border.
        const level = to.load < band.low - TINY ? band.low : to.load < band.mean - TINY ? band.mean : band.high;
        const count = Math.min(needed, slice.left, mayPlace(donor, to, slice.weight, level, band), ledger.left);
        // One connection of this partition does not fit anywhere: lighter ones may.
        if (count <= 0) break;
        ledger.place(donor, to, slice, count);
        takers.settle();
      }
    }
  }
}

/**
 * Pods that are still too empty get the rest from the others: the heaviest connections first, because they are the fewest;
 * of about equally heavy ones first from pods above the mean, then from those inside the band.
 */
function fillRecipients(desks: readonly Desk[], band: Band, ledger: Ledger, taking: Taking): void {
  const lacks = ({ load }: Desk): boolean => load < band.low - TINY;
  const recipients = new EmptiestFirst(desks.filter((desk) => desk.pod.mayTake && lacks(desk)));
  if (recipients.first() === undefined) return;
  const offers = desks
    .filter(({ pod, load }) => pod.mayGive && load > band.low + TINY)
    .flatMap((desk) => desk.slices.map((slice) => ({ desk, slice, grade: gradeOf(slice.weight), load: desk.load })))
    .toSorted(
      (a, b) => byTaking(1.1 ** a.grade, 1.1 ** b.grade, taking) || b.load - a.load || a.desk.index - b.desk.index,
    );
  for (let from = 0; from < offers.length;) {
    let end = from;
    while (end < offers.length && offers[end]?.grade === offers[from]?.grade) end++;
    const equals = offers.slice(from, end);
    from = end;
    for (const floor of [band.mean, band.low]) {
      for (const { desk, slice } of equals) {
        while (slice.left > 0) {
          const to = recipients.first();
          if (ledger.left === 0 || to === undefined || !lacks(to)) return;
          const spare = Math.floor((desk.load - floor) / slice.weight + TINY);
          const count = Math.min(spare, slice.left, mayPlace(desk, to, slice.weight, band.low, band), ledger.left);
          if (count <= 0) break;
          ledger.place(desk, to, slice, count);
          recipients.settle();
        }
      }
    }
  }
}

/** Weights within a tenth of each other are of one grade. */
function gradeOf(weight: number): number {
  return Math.floor(Math.log(weight) / Math.log(1.1) + TINY);
}

/** How many connections lift `to` to `level` without any pod leaving the band on the other side. */
function mayPlace(from: Desk, to: Desk, weight: number, level: number, band: Band): number {
  const toLevel = Math.ceil((level - to.load) / weight - TINY);
  const toBorder = Math.floor((band.high - to.load) / weight + TINY);
  const fromBorder = Math.floor((from.load - band.low) / weight + TINY);
  return Math.min(Math.max(1, toLevel), toBorder, fromBorder, to.room);
}

function movesOf(ledger: Ledger, band: Band): readonly PlannedMove[] {
  return ledger.placed().map(({ from, to, partition, count }) => ({
    from: from.pod.key,
    to: to.pod.key,
    partition,
    count,
    why: whyOf(from, to, partition, band),
  }));
}

function whyOf(from: Desk, to: Desk, partition: number | undefined, band: Band): string {
  const slice = from.pod.slices.find((one) => one.partition === partition);
  const share =
    slice === undefined || partition === undefined
      ? ""
      : `; partition ${partition} is ${percentOf(slice.load, from.pod.load)} % of it`;
  return (
    `${from.pod.key} carries ${percentOf(from.pod.load, band.mean)} % of the mean${share}; ` +
    `${to.pod.key} goes from ${percentOf(to.pod.load, band.mean)} % to ${percentOf(to.load, band.mean)} %`
  );
}

function percentOf(part: number, whole: number): number {
  return whole > 0 ? Math.round((100 * part) / whole) : 0;
}
