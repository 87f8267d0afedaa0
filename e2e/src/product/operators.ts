// The operator's pods as a person meets them: who leads, killing one, how many there are.
import type { ClusterAccess } from "../cluster/access.ts";
import { SYSTEM_NAMESPACE } from "./install.ts";

const DEPLOYMENT = "deployment/wscluster-operator";
const LEASE = "lease/wscluster-operator";
const CONTAINER = "operator";

export async function scaleOperator(access: ClusterAccess, replicas: number): Promise<void> {
  await access.kubectl(["scale", DEPLOYMENT, `--namespace=${SYSTEM_NAMESPACE}`, `--replicas=${replicas}`]);
}

/** Pod that the lease names, or undefined when nobody holds it. It may be dead. */
export async function leadingPod(access: ClusterAccess): Promise<string | undefined> {
  const holder = await access.kubectl([
    "get",
    LEASE,
    `--namespace=${SYSTEM_NAMESPACE}`,
    "--output=jsonpath={.spec.holderIdentity}",
  ]);
  const pod = holder.split("_")[0];
  return pod === "" ? undefined : pod;
}

export async function signalOperator(access: ClusterAccess, pod: string, signal: NodeJS.Signals): Promise<void> {
  await access.driver.signalContainer(SYSTEM_NAMESPACE, pod, CONTAINER, signal);
}

/** The pod goes and its Deployment makes another one. `brutal`: its process gets no chance to hand the lease over. */
export async function replaceOperator(access: ClusterAccess, pod: string, brutal: boolean): Promise<void> {
  if (brutal) await signalOperator(access, pod, "SIGKILL");
  const force = brutal ? ["--grace-period=0", "--force"] : [];
  await access.kubectl(["delete", "pod", pod, `--namespace=${SYSTEM_NAMESPACE}`, "--wait=false", ...force]);
}
