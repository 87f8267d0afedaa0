import { afterEach, describe, expect, it } from "vitest";
import { FakeClock } from "../runtime/fake-clock.ts";
import { KubeError } from "./errors.ts";
import { EventRecorder, regardingOf, type EventRecorderOptions, type EventValue } from "./events.ts";
import type { KubeObject, Manifest, ObjectRef } from "./objects.ts";
import { podJson } from "./testing/scripted-server.ts";
import type { Resource } from "./resources.ts";

type Sent = { verb: "create" | "patch"; name: string; body: Record<string, unknown> };

class Sink {
  sent: Sent[] = [];
  fault: (verb: string) => KubeError | undefined = () => undefined;
  create<T extends KubeObject>(_r: Resource<T>, object: Manifest): Promise<T> {
    return this.#take({ verb: "create", name: object.metadata.name, body: object });
  }
  patch<T extends KubeObject>(_r: Resource<T>, ref: ObjectRef, patch: unknown): Promise<T> {
    return this.#take({ verb: "patch", name: ref.name, body: patch as Record<string, unknown> });
  }
  #take<T>(sent: Sent): Promise<T> {
    const fault = this.fault(sent.verb);
    if (fault !== undefined) return Promise.reject(fault);
    this.sent.push(sent);
    return Promise.resolve({} as T);
  }
}

const event: EventValue = {
  regarding: regardingOf(podJson("a", 1)),
  type: "Normal",
  reason: "RolloutStarted",
  action: "StartRollout",
  note: "revision 2 takes over",
};

let recorder: EventRecorder;
let sink: Sink;
let clock: FakeClock;
let dropped: string[];

function begin(more: Partial<EventRecorderOptions> = {}): void {
  sink = new Sink();
  clock = new FakeClock(Date.UTC(2026, 0, 1));
  dropped = [];
  recorder = new EventRecorder({
    client: sink,
    controller: "wscluster.io/operator",
    instance: "operator-1",
    clock,
    random: () => 0.5,
    onDropped: (_, why) => dropped.push(why),
    ...more,
  });
}

afterEach(() => recorder.stop());

describe("EventRecorder", () => {
  it("writes one complete event", async () => {
    begin();
    recorder.record(event);
    await clock.advance(0);
    expect(sink.sent).toHaveLength(1);
    expect(sink.sent[0]?.body).toMatchObject({
      apiVersion: "v1",
      kind: "Event",
      metadata: { namespace: "default" },
      eventTime: "2026-01-01T00:00:00.000000Z",
      firstTimestamp: "2026-01-01T00:00:00Z",
      lastTimestamp: "2026-01-01T00:00:00Z",
      count: 1,
      source: { component: "wscluster.io/operator" },
      reportingComponent: "wscluster.io/operator",
      reportingInstance: "operator-1",
      involvedObject: { apiVersion: "v1", kind: "Pod", namespace: "default", name: "a", uid: "uid-a" },
      type: "Normal",
      reason: "RolloutStarted",
      action: "StartRollout",
      message: "revision 2 takes over",
    });
    expect(sink.sent[0]?.name).toMatch(/^a\.[0-9a-f]{16}$/);
  });

  it("makes a series of repeats: the second at once, later ones once a minute", async () => {
    begin();
    for (let i = 0; i < 121; i++) {
      recorder.record(event);
      await clock.advance(1000);
    }
    expect(
      sink.sent.map(({ verb, body }) => `${verb} ${String(body["count"])} ${String(body["lastTimestamp"])}`),
    ).toEqual(["create 1 2026-01-01T00:00:00Z", "patch 2 2026-01-01T00:00:01Z", "patch 62 2026-01-01T00:01:01Z"]);
    expect(new Set(sink.sent.map(({ name }) => name)).size).toBe(1);
  });

  it("begins a new event after six quiet minutes, and keeps different notes apart", async () => {
    begin();
    recorder.record(event);
    recorder.record({ ...event, note: "another" });
    await clock.advance(6 * 60_000);
    recorder.record(event);
    await clock.advance(0);
    expect(sink.sent.map(({ verb }) => verb)).toEqual(["create", "create", "create"]);
    expect(new Set(sink.sent.map(({ name }) => name)).size).toBe(3);
  });

  it("creates again when the server has forgotten the series", async () => {
    begin();
    recorder.record(event);
    await clock.advance(0);
    sink.fault = (verb) => (verb === "patch" ? new KubeError("NotFound", "gone") : undefined);
    recorder.record(event);
    await clock.advance(0);
    expect(sink.sent[1]).toMatchObject({ verb: "create", body: { count: 2 } });
  });

  it("cuts a flood of one object and lets others through", async () => {
    begin();
    for (let i = 0; i < 40; i++) recorder.record({ ...event, note: `note ${i}` });
    recorder.record({ ...event, regarding: regardingOf(podJson("b", 1)) });
    await clock.advance(0);
    expect(sink.sent).toHaveLength(26);
    expect(dropped).toEqual(Array.from({ length: 15 }, () => "flood"));
  });

  it("tries three times, then drops, and goes on", async () => {
    begin();
    let refusals = 0;
    sink.fault = () => (refusals++ < 3 ? new KubeError("Unreachable", "down") : undefined);
    recorder.record(event);
    recorder.record({ ...event, note: "next" });
    await clock.advance(10_000);
    expect(dropped).toEqual(["refused"]);
    expect(sink.sent.map(({ body }) => body["message"])).toEqual(["next"]);
  });

  it("never throws into the caller, whatever it is given", async () => {
    begin({
      onDropped: () => {
        throw new Error("counter");
      },
      limit: { burst: 1, ratePerSecond: 1e-9 },
    });
    recorder.record(undefined as unknown as EventValue);
    recorder.record(event);
    recorder.record({ ...event, note: "cut" });
    await clock.advance(0);
    expect(sink.sent).toHaveLength(1);
  });

  it("cuts long notes and names", async () => {
    begin();
    recorder.record({ ...event, note: "x".repeat(2000), regarding: regardingOf(podJson("n".repeat(253), 1)) });
    await clock.advance(0);
    expect(String(sink.sent[0]?.body["message"])).toHaveLength(1024);
    expect(sink.sent[0]?.name.length).toBeLessThanOrEqual(253);
  });

  it("writes what is queued before it stops, and nothing after", async () => {
    begin();
    recorder.record(event);
    await recorder.stop();
    expect(sink.sent).toHaveLength(1);
    recorder.record({ ...event, note: "late" });
    await clock.advance(1000);
    expect(sink.sent).toHaveLength(1);
  });
});
