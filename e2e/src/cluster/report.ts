// The cluster's state as text and exit code. Pure.
import { renderTable } from "../terminal/table.ts";
import type { ClusterDriver, ClusterStatus } from "./driver.ts";

/** Exit codes of `status`, as the LSB has them for services: 0 runs, 3 does not run; 4 is "in between" here. */
export function statusExitCode(status: ClusterStatus): number {
  return { up: 0, down: 3, degraded: 4 }[status.state];
}

type Described = Pick<ClusterDriver, "name" | "reason" | "stateDirectory" | "kubeconfig" | "kubectlPath" | "auditLog">;

export function describeStatus(driver: Described, status: ClusterStatus): string {
  const facts = [`cluster     ${status.state}`, `driver      ${driver.name} (${driver.reason})`];
  if (status.state === "down") return [...facts, "", "Start it with: npm run cluster -- up"].join("\n");
  facts.push(`state       ${driver.stateDirectory}`, `audit log   ${driver.auditLog}`);
  const components = renderTable(
    ["COMPONENT", "STATE", "PID"],
    status.components.map((component) => [
      component.name,
      component.state,
      component.pid === undefined ? "" : `${component.pid}`,
    ]),
  );
  const nodes = renderTable(
    ["NODE", "READY", "VERSION", "ADDRESS", "PODS"],
    status.nodes.map((node) => [node.name, node.ready ? "yes" : "no", node.version, node.address, `${node.pods}`]),
  );
  return [
    ...facts,
    "",
    components,
    "",
    status.nodes.length > 0 ? nodes : "The API server does not answer.",
    "",
    hint(driver),
  ].join("\n");
}

/** How to use the cluster from a shell. */
export function hint(driver: Pick<ClusterDriver, "kubeconfig" | "kubectlPath">): string {
  return `export KUBECONFIG=${driver.kubeconfig}\n${driver.kubectlPath} get pods -A`;
}
