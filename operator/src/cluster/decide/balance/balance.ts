// Evening out the load inside the set that takes new connections: which proposal is made, runs or ends in this pass, and whom it
// asks. Pure. Not here: what is uneven and what would help (rebalance/), the words (words.ts), status and back (report.ts).
import { API_VERSION, KIND, LABELS, REBALANCE_KIND } from "@wscluster/crds";
import type { IntentId } from "@wscluster/protocol";
import { GRANT_WINDOW_MS } from "../../../moves/limits.ts";
import type { PlannedGrant, Target } from "../../../moves/planner.ts";
import {
  nextProposal,
  type Proposal,
  proposalFor,
  type ProposalFacts,
  sliceGrantsFor,
} from "../../../rebalance/index.ts";
import { type BalanceFacts, type ClusterFacts, freshValue, type RebalanceObject } from "../../facts.ts";
import type { Action, EventValue } from "../../plan.ts";
import { receiptsFor } from "../decision.ts";
import type { Dependencies } from "../dependencies.ts";
import { holdOf } from "../holds.ts";
import type { Movement } from "../moving.ts";
import { attachedPods, type PlannedSet } from "../sets.ts";
import { targetsOf } from "../targets.ts";
import { creditedBy, namedIn, rebalanceStatusFor } from "./report.ts";
import { adviceVerdict, type BalanceVerdict, calmVerdict, causeText, namesOf } from "./words.ts";

/** What the process has to remember of this pass. */
export type BalanceNext = {
  /** By uid of the WebSocketRebalance. */
  readonly proposals: ReadonlyMap<string, { readonly proposal: Proposal; readonly written: boolean }>;
  readonly automatic: Proposal | undefined;
  /** One ended: what was seen before it describes another cluster. `predictedPercent`: what is to come out, where all of it moved. */
  readonly ended: { readonly predictedPercent: number | undefined } | undefined;
};

export type BalancePlan = {
  /** Undefined where nothing is measured. */
  readonly verdict: BalanceVerdict | undefined;
  readonly grants: readonly PlannedGrant[];
  readonly actions: readonly Action[];
  readonly events: readonly EventValue[];
  /** Connections that the running one still has to move. */
  readonly left: number;
  readonly isBusy: boolean;
  readonly next: BalanceNext;
};

export const NO_BALANCE: BalancePlan = {
  verdict: undefined,
  grants: [],
  actions: [],
  events: [],
  left: 0,
  isBusy: false,
  next: { proposals: new Map(), automatic: undefined, ended: undefined },
};

const DEFAULT_EXPIRES_SECONDS = 3_600;
const KEPT_ENDED = 10;
const KEPT_MS = 24 * 3_600_000;
const WRITE_EVERY_MS = 5_000;
/** A recipient above this takes no more, as in moves/planner.ts. */
const PRESSURE_MARK = 0.9;
/** The load after a rebalance is read once new numbers have come. */
const AFTER_MS = 50_000;

export type BalanceInput = {
  readonly facts: ClusterFacts;
  readonly sets: readonly PlannedSet[];
  readonly taker: PlannedSet | undefined;
  readonly dependencies: Dependencies;
  readonly handedOver: boolean;
  readonly movement: Movement;
  /** What others were granted in this pass. */
  readonly spent: number;
};

export function intentOfRebalance(id: string): IntentId {
  return `rebalance/${id}`;
}

export function planBalance(input: BalanceInput): BalancePlan {
  const { facts } = input;
  const { balance } = facts;
  if (balance === undefined) return NO_BALANCE;
  const hold = holdText(input);
  const steps = balance.requests.map((request) => ({ request, before: request.proposal, after: request.proposal }));
  let automatic = balance.automatic;
  const running = (): boolean =>
    automatic?.state === "Running" || steps.some((step) => step.after?.state === "Running");
  const events: EventValue[] = [];
  if (automatic !== undefined) {
    const stopped = facts.spec.rebalance?.mode !== "Automatic";
    automatic = advanced(input, automatic, hold, { approved: true, stopped, id: automaticId(automatic) });
  }
  for (const step of steps) step.after = advancedRequest(input, step.request, hold, running());
  const names = namesOf(facts);
  for (const { request, before, after } of steps)
    events.push(...eventsFor(request.name, before, after, balance, names));
  if (balance.automatic !== undefined && automatic !== undefined)
    events.push(...eventsFor("automatic", balance.automatic, automatic, balance, names));
  // What ended in this pass starts the pause; the advice does not know of it yet.
  const justEnded =
    steps.some(({ before, after }) => before !== undefined && hasEnded(before, after)) ||
    (balance.automatic !== undefined && hasEnded(balance.automatic, automatic));
  const isFree = !running() && !justEnded && hold === undefined && balance.advice.kind === "plan";
  const isOpen = steps.some((step) => step.after === undefined || step.after.state === "Proposed");
  const actions: Action[] = [];
  const mode = facts.spec.rebalance?.mode ?? "Off";
  if (mode === "Propose" && isFree && !isOpen) actions.push(creationFor(facts));
  if (mode === "Automatic" && isFree && balance.advice.plan !== undefined) {
    automatic = { ...proposalFor(balance.advice.plan, facts.nowMs), state: "Running", reason: "Approved" };
    events.push({
      reason: "RebalanceStarted",
      message: `${causeText(balance.advice.causes, names)}; ${automatic.message}`,
    });
  }
  const proposals = new Map<string, { proposal: Proposal; written: boolean }>();
  for (const { request, before, after } of steps) {
    if (!request.hasOwner) actions.push({ kind: "adoptRebalance", name: request.name });
    if (after === undefined) continue;
    const status = statusOf(input, request, after);
    const isDue = before?.state !== after.state || facts.nowMs - (request.writtenAtMs ?? 0) >= WRITE_EVERY_MS;
    const written = isDue && JSON.stringify(status) !== JSON.stringify(request.status ?? {});
    if (written) actions.push({ kind: "rebalanceStatus", name: request.name, status });
    proposals.set(request.uid, { proposal: after, written });
  }
  actions.push(...historyOf(facts, balance.requests));
  const active = activeOf(steps, automatic);
  const grants = hold === undefined && active !== undefined ? grantsFor(input, active) : [];
  const ends = [
    ...steps.filter(({ before, after }) => before !== undefined && hasEnded(before, after)).map(({ after }) => after),
    ...(balance.automatic !== undefined && hasEnded(balance.automatic, automatic) ? [automatic] : []),
  ].filter((one) => one !== undefined && one.reason !== "NothingToDo");
  const ended = ends[0];
  return {
    verdict: verdictFor(input, balance, steps, automatic, hold),
    grants,
    actions,
    events,
    left: active === undefined ? 0 : leftOfProposal(active.proposal),
    isBusy: active !== undefined,
    next: {
      proposals,
      automatic: automatic?.state === "Running" ? automatic : undefined,
      ended:
        ended === undefined
          ? undefined
          : { predictedPercent: isCarriedOut(ended) ? ended.predictedPercent : undefined },
    },
  };
}

function automaticId(proposal: Proposal): string {
  return `auto-${Math.floor(proposal.createdAtMs / 1_000)}`;
}

function idOf(request: Pick<RebalanceObject, "name" | "uid">): string {
  return `${request.name}-${request.uid.slice(0, 8)}`;
}

/** Why a rebalance may not run now: every other reason to move comes first. */
function holdText({ facts, sets, taker, dependencies, handedOver, movement }: BalanceInput): string | undefined {
  const hold = holdOf(facts, dependencies, "voluntary");
  if (hold !== undefined) return hold.message;
  const isAtRest = !sets.some((set) => set.role === "candidate" || set.role === "superseded");
  if (taker === undefined || !isAtRest || !handedOver) return "a rollout goes first";
  if (movement.donors.length > 0 || movement.trial !== undefined) return "moves off pods that have to go come first";
  return undefined;
}

function advancedRequest(
  input: BalanceInput,
  request: RebalanceObject,
  hold: string | undefined,
  anotherRuns: boolean,
): Proposal | undefined {
  const { facts } = input;
  const { proposal: before, spec } = request;
  if (before === undefined) {
    if (spec.stopped === true) return stoppedUnplanned(facts.nowMs);
    const plan = facts.balance?.requestPlan;
    return plan === undefined ? undefined : proposalFor(plan, facts.nowMs);
  }
  const approved = spec.approved === true;
  const waits = before.state === "Proposed" && approved && (hold !== undefined || anotherRuns);
  const next = advanced(input, before, hold, {
    approved: approved && !waits,
    stopped: spec.stopped === true,
    id: idOf(request),
    expiresAfterMs: (spec.expiresAfterSeconds ?? DEFAULT_EXPIRES_SECONDS) * 1_000,
  });
  if (!waits || next.state !== "Proposed") return next;
  return { ...next, reason: "Held", message: `approved; waits: ${hold ?? "another rebalance runs"}` };
}

/** Stopped before anything was known of the load. */
function stoppedUnplanned(nowMs: number): Proposal {
  return {
    state: "Stopped",
    reason: "StoppedByUser",
    message: "stopped before it was planned",
    createdAtMs: nowMs,
    sinceMs: nowMs,
    progressAtMs: nowMs,
    settled: 0,
    moves: [],
    beforePercent: 0,
    predictedPercent: 0,
  };
}

function advanced(
  { facts, taker }: BalanceInput,
  before: Proposal,
  hold: string | undefined,
  of: { approved: boolean; stopped: boolean; id: string; expiresAfterMs?: number },
): Proposal {
  const hasAnswers = facts.pods.some((pod) => freshValue(pod.state) !== undefined);
  const receipts = hasAnswers ? receiptsFor(facts, [intentOfRebalance(of.id)]) : undefined;
  const known = before.state === "Running" && receipts !== undefined ? creditedBy(before, receipts.offered) : before;
  // Being held is no lack of progress.
  const from = known.state === "Running" && hold !== undefined ? { ...known, progressAtMs: facts.nowMs } : known;
  const proposalFacts: ProposalFacts = {
    nowMs: facts.nowMs,
    approved: of.approved,
    stopped: of.stopped,
    expiresAfterMs: of.expiresAfterMs ?? Infinity,
    plan: facts.balance?.requestPlan,
    pods: stayingKeys(facts, taker),
    receipts,
  };
  return nextProposal(from, proposalFacts);
}

function stayingKeys(facts: ClusterFacts, taker: PlannedSet | undefined): ReadonlySet<string> {
  return new Set(taker === undefined ? [] : attachedPods(facts.pods, taker).map((pod) => pod.key));
}

type Step = { readonly request: RebalanceObject; readonly after: Proposal | undefined };
type Active = { readonly proposal: Proposal; readonly intent: IntentId };

function activeOf(steps: readonly Step[], automatic: Proposal | undefined): Active | undefined {
  if (automatic?.state === "Running") {
    return { proposal: automatic, intent: intentOfRebalance(automaticId(automatic)) };
  }
  const step = steps.find(({ after }) => after?.state === "Running");
  if (step?.after === undefined) return undefined;
  return { proposal: step.after, intent: intentOfRebalance(idOf(step.request)) };
}

/** Only pods that every live edge knows, that are not pressed and have room; who is grantless now is asked in a later window. */
function grantsFor({ facts, taker, dependencies, spent }: BalanceInput, { proposal, intent }: Active): PlannedGrant[] {
  const lastSentMs = facts.memory.grants.reduce((last, grant) => Math.max(last, grant.sentAtMs), -Infinity);
  if (!facts.keysExist || taker === undefined || facts.nowMs - lastSentMs < GRANT_WINDOW_MS * 0.95) return [];
  const targets = targetsOf(facts, taker, dependencies).filter((target) => target.pressure < PRESSURE_MARK);
  const reachable = new Set(targets.map((target) => target.key));
  const moves = proposal.moves.filter((move) => reachable.has(move.to));
  const tokens = facts.memory.tokens - spent;
  const grants = sliceGrantsFor({ ...proposal, moves }, intent, tokens, stayingKeys(facts, taker));
  return withinRoom(grants, roomOf(facts, targets));
}

function roomOf(facts: ClusterFacts, targets: readonly Target[]): Map<string, number> {
  const reserved = new Map<string, number>();
  for (const grant of facts.memory.grants) {
    for (const { pod, count } of grant.targets) reserved.set(pod, (reserved.get(pod) ?? 0) + count);
  }
  return new Map(
    targets.map(({ key, connections, preparing, capacity }) => [
      key,
      Math.max(0, capacity - connections - Math.max(preparing, reserved.get(key) ?? 0)),
    ]),
  );
}

function withinRoom(grants: readonly PlannedGrant[], room: Map<string, number>): PlannedGrant[] {
  return grants.flatMap((grant) => {
    const targets = grant.targets.flatMap(({ pod, count }) => {
      const free = Math.min(count, room.get(pod) ?? 0);
      room.set(pod, (room.get(pod) ?? 0) - free);
      return free > 0 ? [{ pod, count: free }] : [];
    });
    const count = targets.reduce((sum, target) => sum + target.count, 0);
    return count === 0 ? [] : [{ ...grant, targets, count }];
  });
}

function leftOfProposal(proposal: Proposal): number {
  const wanted = proposal.moves.reduce((sum, move) => sum + move.count, 0);
  return Math.max(0, wanted - proposal.settled);
}

/** Nearly all of it: the rest were clients that left by themselves. */
function isCarriedOut(proposal: Proposal): boolean {
  return (
    proposal.state === "Completed" &&
    proposal.settled >= 0.9 * proposal.moves.reduce((sum, { count }) => sum + count, 0)
  );
}

function hasEnded(before: Proposal, after: Proposal | undefined): boolean {
  const isOpen = ({ state }: Proposal): boolean => state === "Proposed" || state === "Running";
  return isOpen(before) && after !== undefined && !isOpen(after);
}

function creationFor(facts: ClusterFacts): Action {
  const { cluster, nowMs } = facts;
  const owner = { apiVersion: API_VERSION, kind: KIND, name: cluster.name, uid: cluster.uid, controller: true };
  return {
    kind: "apply",
    manifest: {
      apiVersion: API_VERSION,
      kind: REBALANCE_KIND,
      metadata: {
        name: `${cluster.name}-${Math.floor(nowMs / 1_000).toString(36)}`,
        namespace: cluster.namespace,
        labels: { [LABELS.cluster]: cluster.name },
        ownerReferences: [owner],
      },
      spec: { clusterName: cluster.name },
    },
  };
}

function statusOf({ facts }: BalanceInput, request: RebalanceObject, proposal: Proposal) {
  const isOver = proposal.state === "Completed" && proposal.reason !== "NothingToDo";
  const mayMeasure = isOver && facts.nowMs - proposal.sinceMs >= AFTER_MS;
  const measured = mayMeasure ? facts.balance?.advice.imbalancePercent : undefined;
  return rebalanceStatusFor({
    proposal,
    generation: request.generation,
    names: namesOf(facts),
    receipts: receiptsOfRequest(facts, request),
    perSecond: facts.memory.perSecond,
    // Once it is known it stays: later loads have other causes.
    afterPercent: request.status?.after?.imbalancePercent ?? measured,
  });
}

/** Pods forget old intents; what was written once is kept. */
function receiptsOfRequest(facts: ClusterFacts, request: RebalanceObject) {
  const now = receiptsFor(facts, [intentOfRebalance(idOf(request))]);
  const before = request.status?.receipts;
  return before !== undefined && before.offered > now.offered ? before : now;
}

function historyOf(facts: ClusterFacts, requests: readonly RebalanceObject[]): Action[] {
  const ended = requests
    .filter(({ proposal }) => proposal !== undefined && proposal.state !== "Proposed" && proposal.state !== "Running")
    .toSorted((a, b) => (b.proposal?.sinceMs ?? 0) - (a.proposal?.sinceMs ?? 0) || (a.name < b.name ? -1 : 1));
  return ended
    .filter((one, index) => index >= KEPT_ENDED || facts.nowMs - (one.proposal?.sinceMs ?? 0) >= KEPT_MS)
    .map(({ name, uid }) => ({ kind: "delete", resource: "webSocketRebalances", name, uid }));
}

const EVENT_OF = {
  Proposed: "RebalanceProposed",
  Running: "RebalanceStarted",
  Completed: "RebalanceCompleted",
  Stopped: "RebalanceStopped",
  Expired: "RebalanceExpired",
} as const satisfies Record<Proposal["state"], EventValue["reason"]>;

function eventsFor(
  name: string,
  before: Proposal | undefined,
  after: Proposal | undefined,
  { advice }: BalanceFacts,
  names: ReadonlyMap<string, string>,
): EventValue[] {
  if (after === undefined || before?.state === after.state) return [];
  const why = after.state === "Proposed" && advice.causes.length > 0 ? `${causeText(advice.causes, names)}; ` : "";
  const how = after.state === "Proposed" ? `; approve with: wsc rebalance approve ${name}` : "";
  return [{ reason: EVENT_OF[after.state], message: namedIn(`${name}: ${why}${after.message}${how}`, names) }];
}

function verdictFor(
  { facts }: BalanceInput,
  balance: BalanceFacts,
  steps: readonly Step[],
  automatic: Proposal | undefined,
  hold: string | undefined,
): BalanceVerdict | undefined {
  const active = activeOf(steps, automatic);
  if (active !== undefined) {
    const { proposal } = active;
    const all = proposal.moves.reduce((sum, move) => sum + move.count, 0);
    const held = hold === undefined ? "" : `; held: ${hold}`;
    const message = `${proposal.settled} of ${all} connections moved, from ${Math.round(proposal.beforePercent)} % to ${Math.round(proposal.predictedPercent)} % from the mean as predicted${held}`;
    return calmVerdict(facts, { status: "False", reason: "Rebalancing", message });
  }
  const verdict = adviceVerdict(facts, balance);
  const open = steps.find((step) => step.after?.state === "Proposed");
  if (open?.after !== undefined) {
    const { request, after } = open;
    const causes = causeText(balance.advice.causes, namesOf(facts));
    const moves = after.moves.reduce((sum, move) => sum + move.count, 0);
    const before = causes === "" ? "" : `${causes}; `;
    const then =
      after.reason === "AwaitingApproval" ? `approve with: wsc rebalance approve ${request.name}` : after.message;
    const message = `${before}proposal ${request.name} moves ${moves} connections and brings the farthest pod from ${Math.round(after.beforePercent)} % to ${Math.round(after.predictedPercent)} %; ${then}`;
    return calmVerdict(facts, { status: "False", reason: "RebalanceProposed", message });
  }
  if (facts.spec.rebalance === undefined) return undefined;
  const waits = balance.advice.kind === "plan" && hold !== undefined ? `; held: ${hold}` : "";
  return calmVerdict(facts, { ...verdict, message: `${verdict.message}${waits}` });
}
