// Every reason that conditions and events carry, with its meaning: the documentation is made from this table.

export const CONDITION_TYPES = {
  Ready: "Summary: clients can connect, the wanted revision serves and nothing is wrong with the specification.",
  Available:
    "Clients can connect now: at least one pod of the set that takes new connections is ready, and one edge pod.",
  Progressing:
    "True while a rollout, a scale-down or a provisioning runs and gets on; False when it is done, held or was aborted.",
  DependenciesReady: "The store (Redis) answers to a majority of the pods.",
  PodsReachable: "Every running pod tells its state; where one does not, nothing is assumed about it.",
  NodesReadable: "Nodes can be read, so that pods on nodes that are drained or removed are left in time.",
  MovesAllowed:
    "Connections may be moved now; False says what stops it: a switch, the store, a storm, or a window that is closed.",
  Balanced:
    "No pod stays further from the mean load than `rebalance.maxImbalancePercent`. Only where `rebalance` is set or a WebSocketRebalance is open.",
  Autoscaling: "The operator's own autoscaler chooses the number of pods. Only where `autoscaling` is set.",
  SpecValid: "The specification can be acted on.",
} as const;
export type ConditionType = keyof typeof CONDITION_TYPES;

export const CONDITION_REASONS = {
  AsExpected: "Everything is as wanted.",
  ServersNotReady: "No pod of the set that takes new connections is ready.",
  EdgeNotReady: "No edge pod is ready.",
  NoReplicas: "`replicas` is 0.",
  PodsStarting: "The first pods are starting.",
  Complete: "The wanted revision serves and no other holds connections.",
  Provisioning: "The candidate's pods are starting.",
  CandidateNotStarting: "A pod of the candidate cannot start; the message names it and its reason.",
  PodNotStarting: "A pod cannot start; the message names it and its reason.",
  Verifying: "The candidate is ready; its pods are being asked for their state and the edge is learning them.",
  EdgeNotAcknowledged: "An edge pod does not know the pods or the instructions yet.",
  PodsUnreachable: "The state of a pod cannot be read; nothing is assumed about it.",
  PreflightFailed:
    "A check of the preflight certainly fails and `rollout.preflight` is Enforce: the rollout waits; the message has the numbers.",
  NodeDrainUnavailable: "Nodes cannot be listed: pods are not led away from nodes before they are evicted.",
  NodeDrainOff: "`disruption.nodeDrain` is false.",
  AwaitingApproval: "The candidate is verified and waits until `rollout.approvedAttempt` names the attempt.",
  StepRunning: "A step of the rollout goes on.",
  StepPause: "A step has moved its part and is watched for its `pauseSeconds`.",
  GateInconclusive: "A gate has not decided yet; the rollout waits until its deadline.",
  GateFailed: "A gate judged the candidate to have failed.",
  RolloutPaused:
    "The rollout is held where it is: by `rollout.paused`, or after a failure by `rollout.onFailure: Pause`.",
  Switching: "New connections are being led to the candidate.",
  ArrivalsNotStopped: "New connections still arrive at the old set.",
  MovingConnections: "Live connections are moving to the set that takes new ones.",
  MovesPaused: "`moves.paused` stops every move that the operator would ask for.",
  OperatorPaused: "`movesPaused` in the operator's ConfigMap stops every move of every cluster.",
  OutsideWindow: "None of `moves.windows` is open; the message says when the next one opens.",
  StormBrake: "Far more clients come than usual: they are admitted at the pace that the pods bear, and moves wait.",
  DependencyFreeze: "The store does not answer to a majority of the pods: no connection is moved until it does.",
  EdgeRolling: "The edge's pods are being replaced; their clients move to the new ones first.",
  Retaining: "The old set stays warm as an instant way back.",
  Retiring: "The old set is being emptied of pods.",
  GivingBack: "An aborted candidate's connections are moving back.",
  RolloutAborted: "The user aborted the attempt.",
  RolledBack: "The user wants the former revision again.",
  ProgressDeadlineExceeded: "There was no progress for `rollout.progressDeadlineSeconds`.",
  ScalingDown: "Pods that are no longer wanted are being emptied.",
  Evacuating: "Pods that are being deleted, or whose nodes are cordoned or being removed, give their connections away.",
  ScaleDownHeld: "Fewer pods could not hold the present connections.",
  Paused: "`paused` stops all reconciliation.",
  StoreAnswers: "The store answers.",
  StoreUnavailable: "The store does not answer to a majority of the pods.",
  StoreUnknown: "Too few pods can be asked.",
  Even: "The load is even.",
  LoadUnknown: "Too few pods tell their load; nothing is assumed about the others, and nobody is moved.",
  ImbalanceWatched: "A pod is far from the mean, too shortly or too young to act on.",
  CoolingDown: "The load is uneven; the last rebalance was a short time ago.",
  NoMoveHelps: "The load is uneven and no move would even it out; the message says what limits.",
  Imbalanced: "The load is uneven and a plan would even it out; `rebalance.mode` says who decides.",
  RebalanceProposed: "A WebSocketRebalance waits for approval.",
  Rebalancing: "Connections move to even out the load.",
  ScaledToLoad: "There are as many pods as the load needs.",
  ScalingToLoad: "The number of pods is being changed, or waits for its time.",
  ScaledByOthers:
    "A HorizontalPodAutoscaler writes `replicas` of this cluster too: it is followed and the operator's own autoscaler stands back. Remove one of them.",
  Valid: "The specification is valid.",
  Invalid: "The stored specification breaks a rule; nothing is changed until it is corrected.",
} as const;
export type ConditionReason = keyof typeof CONDITION_REASONS;

type EventRow = { readonly type: "Normal" | "Warning"; readonly meaning: string };

export const EVENT_REASONS = {
  RolloutStarted: { type: "Normal", meaning: "A new revision is being provisioned." },
  RolloutSuperseded: { type: "Normal", meaning: "A newer revision came while a rollout was running." },
  PreflightPassed: {
    type: "Normal",
    meaning: "Nothing speaks against the rollout; the message says what clients will see.",
  },
  PreflightWarned: {
    type: "Warning",
    meaning: "Something speaks against the rollout, or is not known; it goes on.",
  },
  PreflightFailed: {
    type: "Warning",
    meaning:
      "Something certainly speaks against the rollout: it waits until that is corrected or `rollout.preflight` is Warn.",
  },
  AwaitingApproval: { type: "Normal", meaning: "The candidate is verified and waits for somebody to approve it." },
  RolloutApproved: { type: "Normal", meaning: "The attempt was approved and goes on." },
  StepStarted: { type: "Normal", meaning: "A step of the rollout begins." },
  StepPassed: { type: "Normal", meaning: "A step has moved its part, was watched and judged to be good." },
  RolloutPaused: { type: "Normal", meaning: "The rollout is held where it is." },
  GateFailed: { type: "Warning", meaning: "A gate judged the candidate to have failed; the attempt was aborted." },
  AttemptNotRunning: {
    type: "Warning",
    meaning: "An approval or an abort names an attempt that is not the running one: nothing was done.",
  },
  TrafficSwitching: {
    type: "Normal",
    meaning: "The candidate is verified; the edge is told to send new connections to it.",
  },
  TrafficSwitched: { type: "Normal", meaning: "Every live edge sends new connections to the candidate only." },
  MovingConnections: {
    type: "Normal",
    meaning: "Arrivals at the old set have stopped; its connections begin to move.",
  },
  RolloutComplete: { type: "Normal", meaning: "All connections have moved; the candidate is stable now." },
  SetRetired: { type: "Normal", meaning: "An old set is at zero." },
  RolloutAborted: { type: "Warning", meaning: "The user aborted the attempt." },
  RolledBack: { type: "Normal", meaning: "The former revision is wanted again; the candidate gives way." },
  ProgressDeadlineExceeded: { type: "Warning", meaning: "The attempt made no progress and was aborted." },
  CandidateNotStarting: { type: "Warning", meaning: "A pod of the candidate cannot start; the old set is untouched." },
  PodNotStarting: { type: "Warning", meaning: "A pod cannot start." },
  MovesFrozen: { type: "Warning", meaning: "The store is away: moves wait." },
  MovesResumed: { type: "Normal", meaning: "The store is back: moves go on." },
  ScalingDown: { type: "Normal", meaning: "A pod was detached and its connections move away." },
  Evacuating: {
    type: "Normal",
    meaning: "A pod leaves its set because its node is cordoned or being removed; a replacement is made elsewhere.",
  },
  Recycling: {
    type: "Normal",
    meaning: "A pod is older than `moves.recycleAfterSeconds` and leaves; its replacement serves already.",
  },
  PodRemoved: { type: "Normal", meaning: "A detached pod was empty and is deleted." },
  DrainDeadlineExceeded: {
    type: "Warning",
    meaning:
      "A detached pod was not empty at its deadline and is deleted; what is left on it gets a window to come back in.",
  },
  ScaleDownHeld: {
    type: "Warning",
    meaning: "A decrease of `replicas` would not leave room for the present connections.",
  },
  RebalanceProposed: { type: "Normal", meaning: "The load is uneven; a WebSocketRebalance waits for approval." },
  RebalanceStarted: { type: "Normal", meaning: "Connections begin to move to even out the load." },
  RebalanceCompleted: { type: "Normal", meaning: "A rebalance has ended; the message says what it moved." },
  RebalanceStopped: { type: "Normal", meaning: "A rebalance was stopped; what has moved stays where it is." },
  RebalanceExpired: { type: "Normal", meaning: "A proposal was not approved in time." },
  Autoscaled: { type: "Normal", meaning: "The operator's own autoscaler changed the number of pods." },
  ScaledByOthers: { type: "Warning", meaning: "A HorizontalPodAutoscaler scales the cluster too; ours stands back." },
  InvalidSpec: { type: "Warning", meaning: "The stored specification breaks a rule." },
  BudgetYields: {
    type: "Normal",
    meaning: "A PodDisruptionBudget of the user selects pods of the cluster; the operator's own is removed meanwhile.",
  },
  OwnedElsewhere: {
    type: "Warning",
    meaning: "Another live installation operates this cluster; this one does nothing.",
  },
  NameTaken: { type: "Warning", meaning: "An object that this cluster needs belongs to somebody else." },
} as const satisfies Record<string, EventRow>;
export type EventReason = keyof typeof EVENT_REASONS;
