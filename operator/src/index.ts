// Public surface of @wscluster/operator: the tables that documentation and tools are made from.
export { CONDITION_REASONS, CONDITION_TYPES, EVENT_REASONS } from "./cluster/reasons.ts";
export { OPERATOR_METRICS } from "./cluster/metrics.ts";
