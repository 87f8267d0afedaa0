// Weights for the edge from headroom: few levels, one step at a time, and slowly. Pure. They steer where newcomers go and
// decay to neutral when nobody renews them; they never close a pod.

/** Percent of the full weight. The lowest is not zero: taking a healthy pod out is a decision of others. */
export const WEIGHT_LEVELS = [25, 50, 75, 100] as const;
export const NEUTRAL_LEVEL = WEIGHT_LEVELS.length - 1;

export type WeightTrack = {
  /** Index into WEIGHT_LEVELS. */
  readonly level: number;
  /** The level that the headroom has asked for lately, and how many looks in a row it did. */
  readonly wish: number;
  readonly looks: number;
};

export type WeightLook = {
  /** 0..1; undefined = unknown. */
  readonly headroom: number | undefined;
  readonly ageMs: number;
};

/** Headroom from which each level holds. */
const FROM: readonly number[] = [0, 0.15, 0.3, 0.5];
/** To climb, the headroom must be above the border by this much: it is not to swing around one. */
const CLIMB_MARGIN = 0.08;
const LOOKS_TO_SINK = 3;
const LOOKS_TO_CLIMB = 6;
/** `leastconn` pours everything into an empty pod; each level of its warm-up holds this long. */
const WARM_STEP_MS = 20_000;

export function nextWeight(before: WeightTrack | undefined, { headroom, ageMs }: WeightLook): WeightTrack {
  const warmest = Math.min(NEUTRAL_LEVEL, Math.floor(Math.max(0, ageMs) / WARM_STEP_MS));
  const level = before?.level ?? warmest;
  // Unknown is neither full nor empty: the weight goes back to neutral, as it would with the operator away.
  const wanted = Math.min(warmest, headroom === undefined ? NEUTRAL_LEVEL : wantedLevel(level, headroom));
  if (wanted === level) return { level, wish: level, looks: 0 };
  const looks =
    before !== undefined && Math.sign(before.wish - level) === Math.sign(wanted - level) ? before.looks + 1 : 1;
  if (looks < (wanted < level ? LOOKS_TO_SINK : LOOKS_TO_CLIMB)) return { level, wish: wanted, looks };
  const next = level + Math.sign(wanted - level);
  return { level: next, wish: next, looks: 0 };
}

export function weightPercentOf(track: WeightTrack): number {
  return WEIGHT_LEVELS[track.level] ?? 100;
}

function wantedLevel(level: number, headroom: number): number {
  let wanted = 0;
  for (const [index, from] of FROM.entries()) {
    const border = index > level ? from + CLIMB_MARGIN : from;
    if (index === 0 || headroom >= border) wanted = index;
  }
  return wanted;
}
