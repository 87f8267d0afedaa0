// Public surface of the Kubernetes border. Nothing else in the operator imports client-node or undici.
export * from "./objects.ts";
export * from "./ports.ts";
export { apiVersionOf, pathFor, resourceFor, resources, type Resource } from "./resources.ts";
export {
  codeFor,
  isAlreadyExists,
  isConflict,
  isGone,
  isKubeError,
  isNotFound,
  isOutcomeUnknown,
  isTooManyRequests,
  KubeError,
  type KubeErrorCode,
  type KubeErrorDetails,
} from "./errors.ts";
export { accessFor, loadAccess, type AccessOptions, type ClusterAccess, type Credentials } from "./config.ts";
export { Connection } from "./connection.ts";
export { KubeClient, type KubeClientOptions } from "./client.ts";
export { ObjectStore, type IndexFunction, type ObjectStoreOptions } from "./store.ts";
export { Reflector, type ReflectorOptions } from "./reflector.ts";
export { OwnWrites, type PendingWrite } from "./own-writes.ts";
export { compareVersions, isAtLeast } from "./resource-version.ts";
export { isSameQuantity, parseQuantity } from "./quantity.ts";
export { differencesOf, isContained, type Difference } from "./contained.ts";
export {
  Applier,
  APPLIED_HASH_ANNOTATION,
  decideApply,
  intentHash,
  withAppliedHash,
  type ApplierOptions,
  type ApplyDecision,
  type ApplyOutcome,
} from "./apply.ts";
export {
  defaultLeaseTerms,
  evaluateLease,
  formatMicroTime,
  mayLead,
  observeLease,
  type LeaseAction,
  type LeaseObservation,
  type LeaseSpec,
  type LeaseTerms,
} from "./lease-decision.ts";
export { LeaderElector, type ElectorOptions, type LeadershipStart } from "./lease.ts";
export { EventRecorder, regardingOf, type EventRecorderOptions, type EventValue } from "./events.ts";
