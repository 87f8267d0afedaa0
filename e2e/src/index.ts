// What benches use of this package: the cluster, the product on it, the load and its verdict.
export { accessCluster, type ClusterAccess } from "./cluster/access.ts";
export { assertGo, buildPart } from "./cluster/build/go-binaries.ts";
export { run } from "./cluster/command.ts";
export { binaryPath, cacheDirectory } from "./cluster/paths.ts";
export type { Part } from "./cluster/versions.ts";
export { openCluster } from "./cluster/open.ts";
export { startLoad, type Load } from "./load/load.ts";
export { quantileOf } from "./load/histogram.ts";
export { LOAD_DEFAULTS, type LoadOptions, type LoadSummary } from "./load/messages.ts";
export { paceErrorPercent } from "./load/pace.ts";
export { Chat } from "./product/chat.ts";
export { CHAT, chatCluster } from "./product/chat-cluster.ts";
export {
  buildImages,
  createNamespace,
  deleteNamespace,
  installChart,
  REDIS_URL,
  type ProductImages,
} from "./product/install.ts";
export { pause, waitFor } from "./product/wait.ts";
export { formatDuration } from "./terminal/duration.ts";
export { createProgress, type Progress } from "./terminal/progress.ts";
export { renderTable } from "./terminal/table.ts";
