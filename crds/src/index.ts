// Public surface of @wscluster/crds.
export * from "./names.ts";
export * from "./v1alpha1/rolls.ts";
export * from "./v1alpha1/spec.ts";
export * from "./v1alpha1/status.ts";
export * from "./v1alpha1/balance.ts";
export * from "./v1alpha1/rebalance.ts";
