// Public surface of the rebalancer. All of it is pure.
export {
  advise,
  memoryAfterPlan,
  NO_MEMORY,
  planOnRequest,
  type Advice,
  type Cause,
  type Outcome,
  type RebalanceMemory,
} from "./advice.ts";
export { nextWeight, weightPercentOf, WEIGHT_LEVELS, type WeightTrack } from "./edge-weights.ts";
export { proposalAfterGrants, sliceGrantsFor } from "./grants.ts";
export { relativeLoadsOf } from "./load.ts";
export { headroomOf, healthOf, type PodHealth, type PodLimits } from "./health.ts";
export { planRebalance, type PlannedMove, type RebalancePlan } from "./planner.ts";
export {
  nextProposal,
  PROPOSAL_TRANSITIONS,
  proposalFor,
  type Proposal,
  type ProposalFacts,
  type ProposalState,
} from "./proposal.ts";
export { rebalanceSettingsFor, type RebalanceSettings, type RebalanceSpec } from "./settings.ts";
