// The claim on a cluster against a faked API: compare-and-set, and who counts as alive.
import { ANNOTATIONS } from "@wscluster/crds";
import { describe, expect, it } from "vitest";
import { type CustomObject, KubeError, type KubeApi, type Lease } from "../kube/index.ts";
import { FakeClock } from "../runtime/index.ts";
import { Fencing } from "./fencing.ts";

const cluster = (annotations: Record<string, string> = {}): CustomObject => ({
  apiVersion: "wscluster.io/v1alpha1",
  kind: "WebSocketCluster",
  metadata: { name: "chat", namespace: "apps", uid: "u", resourceVersion: "7", annotations },
});
const ofOther = cluster({ [ANNOTATIONS.epoch]: "4", [ANNOTATIONS.installation]: "other/lease" });
const never = new AbortController().signal;

function fencingWith(lease: () => Lease) {
  const patches: unknown[] = [];
  const clock = new FakeClock();
  const api = {
    get: () => Promise.resolve().then(lease),
    patch(_resource: unknown, _ref: unknown, patch: unknown) {
      patches.push(patch);
      return Promise.resolve(cluster());
    },
  } as unknown as KubeApi;
  return { fencing: new Fencing({ api, clock, installation: "mine/lease", term: "t1" }), patches, clock };
}
const leaseAt = (resourceVersion: string, holderIdentity: string): Lease => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name: "lease", namespace: "other", uid: "l", resourceVersion },
  spec: { holderIdentity },
});

describe("Fencing", () => {
  it("claims with the version that it looked at, once in a term", async () => {
    const { fencing, patches } = fencingWith(() => leaseAt("1", ""));
    const first = cluster();
    expect(fencing.isUnclaimed(first)).toBe(true);
    expect(await fencing.hold(first, [8], never)).toMatchObject({ kind: "held", epoch: 9 });
    expect(patches).toEqual([
      {
        metadata: {
          uid: "u",
          resourceVersion: "7",
          annotations: {
            [ANNOTATIONS.epoch]: "9",
            [ANNOTATIONS.installation]: "mine/lease",
            [ANNOTATIONS.term]: "t1",
          },
        },
      },
    ]);
    const claimed = cluster({ [ANNOTATIONS.epoch]: "9", [ANNOTATIONS.installation]: "mine/lease" });
    expect(fencing.isUnclaimed(claimed)).toBe(false);
    expect(await fencing.hold(claimed, [9], never)).toEqual({ kind: "held", epoch: 9 });
    const taken = cluster({ [ANNOTATIONS.epoch]: "10", [ANNOTATIONS.installation]: "mine/lease" });
    expect(await fencing.hold(taken, [], never)).toEqual({ kind: "deposed", epoch: 10 });
    expect(patches).toHaveLength(1);
  });

  it("goes on under a claim of which it never got the answer", async () => {
    const stored: Record<string, string> = {};
    const api = {
      patch(_resource: unknown, _ref: unknown, patch: { metadata: { annotations: Record<string, string> } }) {
        Object.assign(stored, patch.metadata.annotations);
        return Promise.reject(new KubeError("Timeout", "no answer"));
      },
    } as unknown as KubeApi;
    const fencing = new Fencing({ api, clock: new FakeClock(), installation: "mine/lease", term: "t1" });
    await expect(fencing.hold(cluster(), [], never)).rejects.toThrow("no answer");
    expect(await fencing.hold(cluster(stored), [1], never)).toEqual({ kind: "held", epoch: 1 });
    // Pods have seen more, as after a restored backup: claimed again, and lost again.
    await expect(fencing.hold(cluster(stored), [4], never)).rejects.toThrow("no answer");
    expect(await fencing.hold(cluster(stored), [5], never)).toEqual({ kind: "held", epoch: 5 });
    // The same number in the name of somebody else is none of ours.
    const taken = cluster({ ...stored, [ANNOTATIONS.epoch]: "6", [ANNOTATIONS.term]: "t2" });
    expect(await fencing.hold(taken, [], never)).toEqual({ kind: "deposed", epoch: 6 });
  });

  it("yields to another installation while its lease changes, and takes over when it has been still for long", async () => {
    let version = 1;
    const { fencing, clock } = fencingWith(() => leaseAt(String(version), "pod-1"));
    expect(await fencing.foreignOf(ofOther, never)).toBe("other/lease");
    await clock.advance(44_000);
    expect(await fencing.hold(ofOther, [], never)).toEqual({ kind: "foreign", installation: "other/lease" });
    version = 2;
    await clock.advance(44_000);
    expect(await fencing.foreignOf(ofOther, never)).toBe("other/lease");
    await clock.advance(45_000);
    expect(await fencing.foreignOf(ofOther, never)).toBe(undefined);
    expect(await fencing.hold(ofOther, [], never)).toMatchObject({ kind: "held", epoch: 5 });
  });

  it.each([
    ["it was released", () => leaseAt("1", ""), undefined],
    ["it is gone", () => fail("NotFound"), undefined],
    // Not allowed to look: somebody may be there.
    ["it may not be read", () => fail("Forbidden"), "other/lease"],
  ])("judges the other's lease when %s", async (_when, lease, foreign) => {
    expect(await fencingWith(lease).fencing.foreignOf(ofOther, never)).toBe(foreign);
  });

  it("does not guess when the API server does not answer", async () => {
    await expect(fencingWith(() => fail("Timeout")).fencing.foreignOf(ofOther, never)).rejects.toThrow(/Timeout/);
  });
});

function fail(code: "NotFound" | "Forbidden" | "Timeout"): never {
  throw new KubeError(code, `cannot get the lease: ${code}`);
}
