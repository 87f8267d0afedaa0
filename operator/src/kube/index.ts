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
