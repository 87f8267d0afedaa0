// Who may send how many connections where in the next window. Pure: facts in, grants out. Not here: when a rollout may
// move (cluster/decide), sending (contract/).
import { INTENT_KINDS, type GrantTarget, type IntentId, type IntentKind } from "@wscluster/protocol";
import { GRANT_WINDOW_MS, MOVE_DEADLINE_MS, type SentGrant } from "./limits.ts";

/** A pod that connections are to leave. */
export type Donor = {
  readonly key: string;
  readonly intent: IntentId;
  /** Sessions that it holds. */
  readonly connections: number;
  /** Asked to move and not decided yet. */
  readonly moving: number;
  /** Among donors of one rank those with the lower turn go first: superseded sets before the stable one. Default 0. */
  readonly turn?: number;
  /** Take only connections of this edge pod. */
  readonly edge?: string;
  /** Whom to take: `idle` ones first (the default), or a random `sample` that tells something about the rest. */
  readonly order?: "idle" | "sample";
  /** Somebody else's deadline binds: the emergency pace holds. */
  readonly isEmergency?: boolean;
};

/** A pod that may be named in a grant: active, ready, fresh and known to every live edge. */
export type Target = {
  readonly key: string;
  readonly connections: number;
  readonly preparing: number;
  readonly capacity: number;
  readonly pressure: number;
};

export type PlannedGrant = {
  readonly source: string;
  readonly intent: IntentId;
  readonly count: number;
  readonly windowMs: number;
  readonly deadlineMs: number;
  readonly targets: readonly GrantTarget[];
  readonly edge?: string;
  readonly order?: "idle" | "sample";
  /** Only connections of this partition. */
  readonly partition?: number;
  readonly isEmergency?: boolean;
};

export type MoveFacts = {
  readonly donors: readonly Donor[];
  readonly targets: readonly Target[];
  /** Whole tokens of the fleet's bucket. */
  readonly tokens: number;
  /** Tokens for donors with somebody else's deadline, never fewer. Default: `tokens`. */
  readonly emergencyTokens?: number;
  /** Grants of the last windows: what they reserve at the targets may not have arrived yet. */
  readonly recent: readonly SentGrant[];
};

/** A recipient above this takes no more. */
const PRESSURE_MARK = 0.9;

export type MovePlan = {
  readonly grants: readonly PlannedGrant[];
  /** What held the number down. */
  readonly limitedBy: "Nothing" | "Budget" | "Pressure" | "TargetsFull" | "NoTarget";
};

/**
 * Lower rank first; inside a rank in proportion to what is left on each donor. Counts per target are absolute, so that
 * donors together cannot overshoot one.
 */
export function planGrants(facts: MoveFacts): MovePlan {
  const donors = onePerSource(facts.donors.filter((donor) => donor.connections > donor.moving));
  if (donors.length === 0) return { grants: [], limitedBy: "Nothing" };
  const room = roomOf(facts.targets, facts.recent);
  if (room.length === 0) return { grants: [], limitedBy: "NoTarget" };
  let tokens = Math.max(0, Math.floor(facts.tokens));
  let emergencyTokens = Math.max(tokens, Math.floor(facts.emergencyTokens ?? tokens));
  let left = room.reduce((sum, target) => sum + target.free, 0);
  const wanted = donors.reduce((sum, donor) => sum + donor.connections - donor.moving, 0);
  const urgent = donors
    .filter((donor) => donor.isEmergency === true)
    .reduce((sum, donor) => sum + donor.connections - donor.moving, 0);
  const affordable = Math.max(tokens, Math.min(emergencyTokens, urgent));
  const limitedBy = left < Math.min(affordable, wanted) ? "TargetsFull" : affordable < wanted ? "Budget" : "Nothing";
  const grants: PlannedGrant[] = [];
  for (const group of groupsByTurn(donors)) {
    const shares = shareOut(
      Math.min(group[0]?.isEmergency === true ? emergencyTokens : tokens, left),
      group.map((donor) => donor.connections - donor.moving),
    );
    group.forEach((donor, index) => {
      const count = shares[index] ?? 0;
      if (count === 0) return;
      // Off an edge a client may come back to its own pod, where there is no other.
      const mayReturn = donor.edge !== undefined && room.length === 1;
      const targets = fill(room, count, mayReturn ? undefined : donor.key);
      const placed = targets.reduce((sum, target) => sum + target.count, 0);
      if (placed === 0) return;
      tokens = Math.max(0, tokens - placed);
      emergencyTokens -= placed;
      left -= placed;
      grants.push({
        source: donor.key,
        intent: donor.intent,
        count: placed,
        windowMs: GRANT_WINDOW_MS,
        deadlineMs: MOVE_DEADLINE_MS,
        targets,
        ...(donor.edge === undefined ? {} : { edge: donor.edge }),
        ...(donor.order === undefined ? {} : { order: donor.order }),
        ...(donor.isEmergency === true ? { isEmergency: true } : {}),
      });
    });
  }
  return { grants, limitedBy };
}

/** A grant replaces the one before it on its pod: the most urgent intent of a pod goes first, then the one with most to do. */
function onePerSource(donors: readonly Donor[]): Donor[] {
  const ordered = donors.toSorted(
    (a, b) =>
      rankOf(a.intent) - rankOf(b.intent) ||
      b.connections - a.connections ||
      compareText(a.key, b.key) ||
      compareText(a.edge ?? "", b.edge ?? ""),
  );
  const first = new Map<string, Donor>();
  for (const donor of ordered) if (!first.has(donor.key)) first.set(donor.key, donor);
  return [...first.values()].toSorted(
    (a, b) =>
      rankOf(a.intent) - rankOf(b.intent) ||
      urgencyOf(a) - urgencyOf(b) ||
      (a.turn ?? 0) - (b.turn ?? 0) ||
      compareText(a.key, b.key),
  );
}

function urgencyOf(donor: Donor): number {
  return donor.isEmergency === true ? 0 : 1;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function rankOf(intent: IntentId): number {
  const kind = intent.slice(0, intent.indexOf("/"));
  return isIntentKind(kind) ? INTENT_KINDS[kind].rank : Number.MAX_SAFE_INTEGER;
}

function isIntentKind(kind: string): kind is IntentKind {
  return Object.hasOwn(INTENT_KINDS, kind);
}

type Room = { readonly key: string; load: number; free: number };

function roomOf(targets: readonly Target[], recent: readonly SentGrant[]): Room[] {
  const reserved = new Map<string, number>();
  for (const grant of recent) {
    for (const { pod, count } of grant.targets) reserved.set(pod, (reserved.get(pod) ?? 0) + count);
  }
  return targets
    .filter((target) => target.pressure < PRESSURE_MARK)
    .toSorted((a, b) => compareText(a.key, b.key))
    .map((target) => {
      // A socket in preparation is most likely one of the reserved ones: the larger number covers both.
      const load = target.connections + Math.max(target.preparing, reserved.get(target.key) ?? 0);
      return { key: target.key, load, free: Math.max(0, target.capacity - load) };
    });
}

/** Puts `count` onto the emptiest targets, level by level. */
function fill(room: readonly Room[], count: number, source: string | undefined): GrantTarget[] {
  const given = new Map<string, number>();
  for (let unit = 0; unit < count; unit++) {
    let best: Room | undefined;
    for (const target of room) {
      if (target.free <= 0 || target.key === source) continue;
      if (best === undefined || target.load < best.load) best = target;
    }
    if (best === undefined) break;
    best.load += 1;
    best.free -= 1;
    given.set(best.key, (given.get(best.key) ?? 0) + 1);
  }
  return [...given].map(([pod, amount]) => ({ pod, count: amount })).toSorted((a, b) => compareText(a.pod, b.pod));
}

/** Splits `total` in proportion to `weights` by largest remainder; never more than the weight. */
export function shareOut(total: number, weights: readonly number[]): number[] {
  const sum = weights.reduce((all, weight) => all + weight, 0);
  if (sum <= total) return [...weights];
  const exact = weights.map((weight) => (total * weight) / sum);
  const shares = exact.map(Math.floor);
  let rest = total - shares.reduce((all, share) => all + share, 0);
  const order = exact
    .map((value, index) => ({ index, part: value - Math.floor(value) }))
    .toSorted((a, b) => b.part - a.part || a.index - b.index);
  for (const { index } of order) {
    if (rest === 0) break;
    shares[index] = (shares[index] ?? 0) + 1;
    rest -= 1;
  }
  return shares;
}

/** `donors` come in order of rank and turn. */
function groupsByTurn(donors: readonly Donor[]): Donor[][] {
  const groups = new Map<string, Donor[]>();
  for (const donor of donors) {
    const key = `${rankOf(donor.intent)} ${urgencyOf(donor)} ${donor.turn ?? 0}`;
    groups.set(key, [...(groups.get(key) ?? []), donor]);
  }
  return [...groups.values()];
}
