// How few connections could possibly do: what each pod above the band has to give in its heaviest connections, and what the
// pods below it lack, given by whoever can spare it in the heaviest connections. A plan is judged against this. Pure.
import { TINY, type Band, type PlanPod } from "./plan-facts.ts";

type Weighed = { readonly weight: number; connections: number };
type Spare = Weighed & { readonly pod: { spare: number } };

/** At least this many connections move in any plan that brings all pods into the band. */
export function boundFor(pods: readonly PlanPod[], band: Band): number {
  let given = 0;
  let exactly = 0;
  let lack = 0;
  let got = 0;
  let heaviest = 0;
  const spares: Spare[] = [];
  for (const pod of pods) {
    if (pod.load < band.low - TINY) lack += band.low - pod.load;
    for (const { connections, load } of pod.slices)
      if (connections > 0) heaviest = Math.max(heaviest, load / connections);
    // Gives nothing, so its weights need not be sorted: most pods of an uneven fleet are like that.
    if (pod.load <= band.low + TINY) continue;
    const slices = weighedOf(pod);
    const excess = Math.max(0, pod.load - band.high);
    if (excess > TINY) {
      const count = takeLoad(slices, excess);
      exactly += count;
      given += Math.ceil(count - TINY);
      lack -= excess;
    }
    const rest = { spare: Math.min(pod.load, band.high) - band.low };
    for (const slice of slices) if (slice.connections > 0) spares.push({ ...slice, pod: rest });
  }
  if (heaviest === 0) return 0;
  for (const pod of pods) {
    if (pod.load < band.low - TINY) got += Math.ceil((band.low - pod.load) / heaviest - TINY);
  }
  // What is taken out of a pod leaves in its own connections, so nobody's heavy ones stand in for more than it can spare.
  if (lack > TINY) {
    for (const slice of spares.toSorted((a, b) => b.weight - a.weight)) {
      if (lack <= TINY) break;
      const load = Math.min(lack, slice.pod.spare, slice.weight * slice.connections);
      slice.pod.spare -= load;
      lack -= load;
      exactly += load / slice.weight;
    }
  }
  return Math.max(given, got, Math.ceil(exactly - TINY));
}

function weighedOf(pod: PlanPod): Weighed[] {
  return pod.slices
    .filter((slice) => slice.connections > 0 && slice.load > 0)
    .map((slice) => ({ weight: slice.load / slice.connections, connections: slice.connections }))
    .toSorted((a, b) => b.weight - a.weight);
}

/** Connections, with a fraction, that carry this load; takes them out of the slices. */
function takeLoad(slices: readonly Weighed[], load: number): number {
  let left = load;
  let count = 0;
  for (const slice of slices) {
    if (left <= TINY) break;
    const taken = Math.min(slice.connections, left / slice.weight);
    slice.connections -= taken;
    count += taken;
    left -= taken * slice.weight;
  }
  return count;
}
