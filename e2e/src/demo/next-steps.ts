// What to try after the demo, as commands that work as they stand.
import type { ClusterAccess } from "../cluster/access.ts";

export function nextSteps(access: Pick<ClusterAccess, "driver">, namespace: string, name: string): string {
  const { driver } = access;
  const kubectl = `${driver.kubectlPath} --namespace=${namespace}`;
  return [
    "",
    "== What to try next (the cluster is still up)",
    `  export KUBECONFIG=${driver.kubeconfig}`,
    `  ${kubectl} get wsc --watch`,
    `  ${kubectl} describe wsc ${name}`,
    `  ${kubectl} scale wsc ${name} --replicas=5`,
    `  ${kubectl} patch wsc ${name} --type=merge -p '{"spec":{"moves":{"paused":true}}}'`,
    `  ${kubectl} get pods --show-labels`,
    "  npm run e2e -- --list            # what is promised, as scenarios",
    "  npm run e2e -- operator-killed   # kill the operator in mid-rollout",
    "  npm run cluster -- down          # take everything down",
  ].join("\n");
}
