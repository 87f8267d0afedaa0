// What happens to a rollout: every event at every step. The documentation is made from this table, and a test walks each cell in
// the small world. Data only; the code that does it is beside this file.

/** Where a candidate can stand. */
export const ROLLOUT_STEPS = {
  provision: "Its pods are being made.",
  verify: "Its pods are ready and are being looked at: state, edges, gates.",
  approve: "It waits for somebody (`promotion: Manual`).",
  trial: "A step has moved its part and is watched and judged.",
  grow: "It gets the rest of its pods, after an approval with `previewReplicas` or after the last slice.",
  switch: "The edges are told to lead all new connections to it.",
  settle: "It takes all new connections; arrivals at the old set must have stopped.",
  move: "The rest of the old set's connections moves.",
} as const;
export type RolloutStepName = keyof typeof ROLLOUT_STEPS;

export const ROLLOUT_ACTIONS = {
  replace: "The candidate is scaled to zero and the newer one begins. Nobody was on it.",
  supersede:
    "The newer one becomes the candidate. The former one is superseded: it keeps what it has until the newer one takes it over, before the old set's; the old set stays the way back.",
  scaleToZero: "The candidate is scaled to zero. Nobody was on it.",
  giveBack:
    "Its share is withdrawn and its connections move back to the old set, at the emergency pace if its pods fail. Then it is scaled to zero.",
  hold: "Everything stays as it is, nothing moves for the candidate, and no deadline ends that.",
  goOn: "The next step begins.",
  addPods: "The candidate gets more pods; so does the old set while it takes new connections.",
  queue: "Nothing now: a decrease waits until the rollout is over.",
  wait: "Nothing but what is said in status and events: the step goes on as before.",
} as const;
export type RolloutAction = keyof typeof ROLLOUT_ACTIONS;

export const ROLLOUT_EVENTS = {
  newerRevision: "A newer revision is wanted",
  formerRevision: "The old set's revision is wanted again",
  abort: "`abortedAttempt` names the attempt (also when it is approved or paused)",
  abortOther: "`abortedAttempt` names another attempt",
  approve: "`approvedAttempt` names the attempt",
  approveOther: "`approvedAttempt` names another attempt",
  pause: "`rollout.paused: true`",
  gatePasses: "The gate passes",
  gateFails: "The gate fails, `onFailure: Abort`",
  gateFailsPause: "The gate fails, `onFailure: Pause`",
  deadline: "No progress for `progressDeadlineSeconds`, `onFailure: Abort`",
  deadlinePause: "The same, `onFailure: Pause`",
  storeAway: "The store goes away for longer than the deadline",
  operatorRestart: "The operator is replaced and the status is wiped",
  moreReplicas: "`replicas` rises",
  fewerReplicas: "`replicas` falls",
} as const;
export type RolloutEvent = keyof typeof ROLLOUT_EVENTS;

type Row = Readonly<Record<RolloutStepName, RolloutAction>>;

/** The same at each step, but for those that are named. */
const always = (action: RolloutAction, but: Partial<Row> = {}): Row => ({
  provision: action,
  verify: action,
  approve: action,
  trial: action,
  grow: action,
  switch: action,
  settle: action,
  move: action,
  ...but,
});

/** One thing while nobody is on the candidate, another once somebody may be. */
const byTraffic = (before: RolloutAction, after: RolloutAction): Row =>
  always(before, { trial: after, switch: after, settle: after, move: after });

/** In the column `grow` nobody is on the candidate yet; after the last slice it is as in `trial`. */
export const ROLLOUT_TABLE: Readonly<Record<RolloutEvent, Row>> = {
  newerRevision: byTraffic("replace", "supersede"),
  formerRevision: byTraffic("scaleToZero", "giveBack"),
  abort: byTraffic("scaleToZero", "giveBack"),
  abortOther: always("wait"),
  approve: always("wait", { approve: "goOn" }),
  approveOther: always("wait"),
  pause: always("hold"),
  gatePasses: always("wait", { verify: "goOn", trial: "goOn" }),
  gateFails: always("wait", { verify: "scaleToZero", trial: "giveBack", move: "giveBack" }),
  gateFailsPause: always("wait", { verify: "hold", trial: "hold", move: "hold" }),
  // A person is given as long as he needs.
  deadline: { ...byTraffic("scaleToZero", "giveBack"), approve: "wait" },
  deadlinePause: always("hold", { approve: "wait" }),
  // What needs no store, goes on, and has its deadline: pods that do not start.
  storeAway: always("wait", { provision: "scaleToZero" }),
  operatorRestart: always("wait"),
  moreReplicas: always("addPods"),
  fewerReplicas: always("queue"),
};
