// Public surface of the edge for the rest of the operator.
export { renderHaproxyConfig, unnamedLimitFor, type HaproxyConfigOptions } from "./haproxy-config.ts";
export {
  edgePodSpecFor,
  edgeRoleRulesFor,
  HAPROXY_CONFIG_KEY,
  RUNTIME_SOCKET_PATH,
  type EdgePodOptions,
} from "./pod-spec.ts";
export { INSTRUCTIONS_KEY } from "./pods.ts";
export { runAgent } from "./main.ts";
