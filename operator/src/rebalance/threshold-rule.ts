// The plain rule that many fleets use, kept as a comparison: once the imbalance is over a threshold, pods above 120 % of the
// mean give to pods below 80 %. It looks at one scrape, takes connections as they come and knows no pause. Pure.
import { imbalancePercentOf, type PlanPod } from "./plan-facts.ts";

export type RuleMove = { readonly from: string; readonly to: string; readonly count: number };

const THRESHOLD_PERCENT = 30;
const DONOR_ABOVE = 1.2;
const RECIPIENT_BELOW = 0.8;

export function planByThreshold(pods: readonly PlanPod[]): readonly RuleMove[] {
  const ordered = pods.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const loads = ordered.map((pod) => pod.load);
  if (imbalancePercentOf(loads) <= THRESHOLD_PERCENT) return [];
  const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
  const recipients = ordered
    .filter((pod) => pod.mayTake && pod.load < RECIPIENT_BELOW * mean)
    .map((pod) => ({ key: pod.key, load: pod.load, room: pod.room }));
  const moves: RuleMove[] = [];
  for (const donor of ordered) {
    if (!donor.mayGive || donor.load <= DONOR_ABOVE * mean || donor.connections === 0) continue;
    const weight = donor.load / donor.connections;
    let excess = Math.floor((donor.load - mean) / weight);
    for (const to of recipients) {
      const count = Math.min(excess, Math.floor((mean - to.load) / weight), to.room);
      if (count <= 0) continue;
      excess -= count;
      to.load += count * weight;
      to.room -= count;
      moves.push({ from: donor.key, to: to.key, count });
    }
  }
  return moves;
}
