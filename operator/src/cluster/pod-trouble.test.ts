import { expect, it } from "vitest";
import type { Pod } from "../kube/index.ts";
import { podTroubleOf } from "./pod-trouble.ts";

const pod = (status: Pod["status"]): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", uid: "u", resourceVersion: "1" },
  spec: { containers: [{ name: "server", image: "chat:bad" }] },
  ...(status === undefined ? {} : { status }),
});
const waiting = (reason: string, message?: string) =>
  pod({
    containerStatuses: [
      {
        name: "server",
        image: "",
        imageID: "",
        ready: false,
        restartCount: 3,
        state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
        lastState: { terminated: { exitCode: 2, reason: "Error" } },
      },
    ],
  });

it.each([
  ["nothing yet", pod(undefined), undefined],
  ["on its way", waiting("ContainerCreating"), undefined],
  [
    "a pull that failed",
    waiting("ErrImagePull", "not found"),
    "ErrImagePull: image chat:bad of container server cannot be pulled",
  ],
  // The kubelet alternates between the two: one story, or the status would be written for ever.
  [
    "a pull that waits",
    waiting("ImagePullBackOff", "Back-off 20s"),
    "ErrImagePull: image chat:bad of container server cannot be pulled",
  ],
  [
    "a crash loop",
    waiting("CrashLoopBackOff", "back-off 40s"),
    "CrashLoopBackOff: container server keeps exiting with code 2 (Error)",
  ],
  [
    "a missing secret",
    waiting("CreateContainerConfigError", "secret x not found"),
    "CreateContainerConfigError: container server: secret x not found",
  ],
  [
    "no room",
    pod({ conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/2 nodes" }] }),
    "Unschedulable: 0/2 nodes",
  ],
])("%s", (_name, of, told) => {
  const trouble = podTroubleOf(of);
  expect(trouble === undefined ? undefined : `${trouble.reason}: ${trouble.message}`).toBe(told);
});
