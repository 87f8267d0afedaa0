import { afterEach, describe, expect, it } from "vitest";
import { sleep } from "../runtime/clock.ts";
import { FakeClock } from "../runtime/fake-clock.ts";
import { KubeError } from "./errors.ts";
import type { KubeObject, Manifest } from "./objects.ts";
import type { KubeApi, RequestOptions } from "./ports.ts";
import type { Resource } from "./resources.ts";
import { LeaderElector, type ElectorOptions } from "./lease.ts";

type Verb = "get" | "create" | "replace";

/** One lease with optimistic locking; requests can be made to fail or to hang. */
class OneLease implements Pick<KubeApi, Verb> {
  spec: Record<string, unknown> | undefined;
  version = 0;
  writes = 0;
  /** Called before each request; what it returns is thrown after the request took effect or not. */
  fault: (verb: Verb, who: string) => "fail" | "hang" | "lostAnswer" | undefined = () => undefined;

  get<T extends KubeObject>(_r: Resource<T>, _ref: object, options: RequestOptions = {}): Promise<T> {
    return this.#answer("get", "", options, () => {
      if (this.spec === undefined) throw new KubeError("NotFound", "none");
      return this.#object();
    });
  }

  create<T extends KubeObject>(_r: Resource<T>, object: Manifest, options: RequestOptions = {}): Promise<T> {
    return this.#answer("create", holderOf(object), options, () => {
      if (this.spec !== undefined) throw new KubeError("AlreadyExists", "there");
      return this.#store(object);
    });
  }

  replace<T extends KubeObject>(_r: Resource<T>, object: Manifest, options: RequestOptions = {}): Promise<T> {
    return this.#answer("replace", holderOf(object), options, () => {
      if (object.metadata.resourceVersion !== String(this.version)) throw new KubeError("Conflict", "changed");
      return this.#store(object);
    });
  }

  #store(object: Manifest): KubeObject {
    this.spec = { ...(object["spec"] as object) };
    this.version++;
    this.writes++;
    return this.#object();
  }

  #object(): KubeObject {
    const metadata = { name: "lock", namespace: "ns", uid: "u", resourceVersion: String(this.version) };
    return { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec: { ...this.spec } } as KubeObject;
  }

  async #answer<T>(verb: Verb, who: string, options: RequestOptions, act: () => KubeObject): Promise<T> {
    const fault = this.fault(verb, who);
    if (fault === "fail") throw new KubeError("Unreachable", "down");
    if (fault === "hang") {
      await new Promise<never>((_resolve, reject) => {
        const cut = (): void => reject(new KubeError("Aborted", "cut"));
        options.signal?.addEventListener("abort", cut);
      });
    }
    const object = act();
    if (fault === "lostAnswer") throw new KubeError("Timeout", "lost");
    return object as unknown as T;
  }
}

function holderOf(object: Manifest): string {
  return String((object["spec"] as { holderIdentity?: string }).holderIdentity);
}

const electors: LeaderElector[] = [];
afterEach(async () => {
  for (const elector of electors.splice(0)) await elector.stop();
});

type Candidate = { elector: LeaderElector; story: string[]; signal: () => AbortSignal | undefined };

function candidate(lease: OneLease, clock: FakeClock, identity: string, more: Partial<ElectorOptions> = {}): Candidate {
  const story: string[] = [];
  let signal: AbortSignal | undefined;
  const elector = new LeaderElector({
    client: lease,
    namespace: "ns",
    name: "lock",
    identity,
    clock,
    random: () => 0,
    onStartedLeading: (start) => {
      signal = start.signal;
      story.push(`started ${start.transitions} @${clock.monotonicMs()}`);
    },
    onStoppedLeading: (why) => void story.push(`${why} @${clock.monotonicMs()}`),
    ...more,
  });
  electors.push(elector);
  elector.start();
  return { elector, story, signal: () => signal };
}

describe("LeaderElector", () => {
  it("creates the lease, renews each 2 s, and keeps a second one waiting", async () => {
    const [lease, clock] = [new OneLease(), new FakeClock()];
    const first = candidate(lease, clock, "one");
    await clock.advance(0);
    const second = candidate(lease, clock, "two");
    await clock.advance(60_000);
    expect(first.story).toEqual(["started 0 @0"]);
    expect(second.story).toEqual([]);
    expect([first.elector.isLeader(), second.elector.isLeader()]).toEqual([true, false]);
    expect(lease.writes).toBe(31);
    expect(lease.spec).toMatchObject({ holderIdentity: "one", leaseDurationSeconds: 15, leaseTransitions: 0 });
    expect(lease.spec?.["renewTime"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  it("stops at the renew deadline, before another may start, and aborts what it was doing", async () => {
    const [lease, clock] = [new OneLease(), new FakeClock()];
    const first = candidate(lease, clock, "one");
    await clock.advance(0);
    const second = candidate(lease, clock, "two");
    await clock.advance(4000);
    lease.fault = (_, who) => (who === "one" ? "fail" : undefined);
    await clock.advance(9999);
    expect(first.elector.isLeader()).toBe(true);
    await clock.advance(1);
    expect(first.elector.isLeader()).toBe(false);
    expect(first.signal()?.aborted).toBe(true);
    expect(first.story).toEqual(["started 0 @0", "lost @14000"]);
    await clock.advance(10_000);
    expect(second.story).toEqual([expect.stringMatching(/^started 1 @(19|20|21)\d{3}$/)]);
    expect(first.elector.isLeader()).toBe(false);
  });

  it("stops at the deadline also while a request hangs", async () => {
    const [lease, clock] = [new OneLease(), new FakeClock()];
    const first = candidate(lease, clock, "one");
    await clock.advance(2000);
    lease.fault = (verb) => (verb === "get" ? "hang" : undefined);
    await clock.advance(10_000);
    expect(first.story).toEqual(["started 0 @0", "lost @12000"]);
  });

  it("survives failures shorter than the deadline without a change", async () => {
    const [lease, clock] = [new OneLease(), new FakeClock()];
    const first = candidate(lease, clock, "one");
    await clock.advance(0);
    const second = candidate(lease, clock, "two");
    lease.fault = () => "fail";
    await clock.advance(9400);
    lease.fault = () => undefined;
    await clock.advance(30_000);
    expect(first.story).toEqual(["started 0 @0"]);
    expect(second.story).toEqual([]);
  });

  it("does not lead on a write whose answer was lost, but renews it next time", async () => {
    const [lease, clock] = [new OneLease(), new FakeClock()];
    lease.fault = (verb) => (verb === "create" ? "lostAnswer" : undefined);
    const first = candidate(lease, clock, "one");
    await clock.advance(0);
    expect(first.elector.isLeader()).toBe(false);
    await clock.advance(2000);
    expect(first.story).toEqual(["started 0 @1400"]);
  });

  it("ends its work, then frees the lease, so that a successor starts at its next look", async () => {
    const [lease, clock] = [new OneLease(), new FakeClock()];
    const order: string[] = [];
    const first = candidate(lease, clock, "one", {
      onStoppedLeading: async (why) => {
        await sleep(clock, 500);
        order.push(`${why}, lease still of ${String(lease.spec?.["holderIdentity"])}`);
      },
    });
    await clock.advance(0);
    const second = candidate(lease, clock, "two");
    await clock.advance(1000);
    const stopping = first.elector.stop();
    await clock.advance(500);
    await stopping;
    expect(order).toEqual(["released, lease still of one"]);
    expect(lease.spec?.["holderIdentity"]).toBe("");
    await clock.advance(2000);
    expect(second.story).toEqual(["started 1 @2800"]);
    expect(first.elector.isLeader()).toBe(false);
  });

  it.each([0, 400, 900, 1_799])(
    "is followed within two seconds, whatever the jitter (released after %i ms)",
    async (afterMs) => {
      const [lease, clock] = [new OneLease(), new FakeClock()];
      const first = candidate(lease, clock, "one");
      await clock.advance(0);
      const second = candidate(lease, clock, "two", { random: () => 0.999 });
      await clock.advance(20_000 + afterMs);
      await first.elector.stop();
      const releasedMs = clock.monotonicMs();
      await clock.advance(1_999);
      expect(second.elector.isLeader()).toBe(true);
      expect(second.story[0]).toMatch(/^started 1 @/);
      expect(releasedMs).toBe(20_000 + afterMs);
    },
  );

  it("leaves a lease alone that it does not hold", async () => {
    const [lease, clock] = [new OneLease(), new FakeClock()];
    candidate(lease, clock, "one");
    await clock.advance(0);
    const second = candidate(lease, clock, "two");
    await clock.advance(1000);
    await second.elector.stop();
    expect(lease.spec?.["holderIdentity"]).toBe("one");
  });

  it("does not free a lease that was taken from it unseen", async () => {
    const [lease, clock] = [new OneLease(), new FakeClock()];
    const first = candidate(lease, clock, "one");
    await clock.advance(1000);
    lease.spec = { ...lease.spec, holderIdentity: "thief" };
    lease.version++;
    await first.elector.stop();
    expect(lease.spec["holderIdentity"]).toBe("thief");
  });

  it("is not fooled by a jump of the wall clock", async () => {
    const [lease, clock] = [new OneLease(), new FakeClock()];
    const first = candidate(lease, clock, "one");
    await clock.advance(0);
    const second = candidate(lease, clock, "two");
    await clock.advance(3000);
    clock.jumpWallClock(3_600_000);
    await clock.advance(3000);
    clock.jumpWallClock(-7_200_000);
    await clock.advance(20_000);
    expect([first.story, second.story]).toEqual([["started 0 @0"], []]);
  });

  it("gives up at once when someone else holds the lease", async () => {
    const [lease, clock] = [new OneLease(), new FakeClock()];
    const first = candidate(lease, clock, "one");
    await clock.advance(1000);
    lease.spec = { ...lease.spec, holderIdentity: "thief" };
    lease.version++;
    await clock.advance(1000);
    expect(first.story).toEqual(["started 0 @0", "lost @2000"]);
  });

  it("refuses terms under which two could lead", () => {
    const terms = { leaseDurationMs: 10_000, renewDeadlineMs: 10_000, retryPeriodMs: 2000 };
    const [lease, clock] = [new OneLease(), new FakeClock()];
    expect(() => candidate(lease, clock, "one", { terms })).toThrow("cannot elect a leader");
  });
});
