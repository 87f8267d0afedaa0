// When the gates act: at which point, how often, and for how long what they found holds. Over a small world's facts.
import { NO_RECEIPTS, type Receipts } from "@wscluster/protocol";
import { beforeEach, describe, expect, it } from "vitest";
import type { GateAt, GatePoint, ServerPodFacts } from "../cluster/facts.ts";
import type { UnjudgedFacts } from "../cluster/observe.ts";
import { World } from "../cluster/testing/world.ts";
import { FakeClock } from "../runtime/fake-clock.ts";
import { AnalysisDesk } from "./analysis.ts";
import type { ProbeOptions, ProbeOutcome } from "./probe.ts";
import { SyntheticDesk } from "./synthetic.ts";
import type { WebhookAnswer, WebhookCall } from "./webhook-call.ts";
import { WebhookDesk } from "./webhooks.ts";

const FACTS = ((): UnjudgedFacts => {
  const world = new World({ replicas: 2, server: { image: "chat:1" }, redis: { url: "redis://r:6379" } });
  world.run(10);
  world.fleet.arrive(30);
  world.setSpec({ server: { image: "chat:2" } });
  world.run(60, () => world.facts().sets.some((set) => set.step === "verify"));
  const facts = world.facts();
  // The fleet of stories knows no probes.
  const pods = facts.pods.map((pod) =>
    pod.state.kind === "known" ? { ...pod, state: { ...pod.state, value: { ...pod.state.value, probe: 1 } } } : pod,
  );
  return { ...facts, pods };
})();

type Rollout = NonNullable<UnjudgedFacts["spec"]["rollout"]>;
const withRollout = (rollout: Rollout, facts = FACTS): UnjudgedFacts => ({
  ...facts,
  spec: { ...facts.spec, rollout },
});
const at = (point: GatePoint): GateAt => ({ attempt: "r/1", point, sinceMs: 0 });
const isCandidate = (pod: ServerPodFacts): boolean => pod.revision === FACTS.wanted.servers;
/** All that was begun has come to its end. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

let clock: FakeClock;
let news: number;
beforeEach(() => {
  clock = new FakeClock();
  news = 0;
});

describe("the synthetic client's desk", () => {
  function desk(outcomes: ProbeOutcome[], last: ProbeOutcome = { kind: "served", ms: 3 }) {
    const visits: ProbeOptions[] = [];
    const created = new SyntheticDesk({
      clock,
      clientPortOf: () => 8080,
      onVisited: () => news++,
      probe: (options) => {
        visits.push(options);
        return Promise.resolve(outcomes.shift() ?? last);
      },
    });
    const look = (facts = FACTS, point: GatePoint = "verify") =>
      created.verdictAt("apps/chat", at(point), facts, "key");
    return { visits, look, created };
  }
  const refused: ProbeOutcome = { kind: "failed", why: "hello: it answers unavailable" };

  it("visits every ready pod of the candidate once, and passes when all have served", async () => {
    const { visits, look } = desk([]);
    expect(look()).toMatchObject({
      kind: "inconclusive",
      why: expect.stringMatching(/^0 of 2 pods served .*not been visited/),
    });
    await settle();
    expect(look()).toEqual({ kind: "pass" });
    expect(look(undefined, "step 1")).toEqual({ kind: "pass" });
    const candidates = FACTS.pods.filter(isCandidate).map((pod) => pod.uid);
    expect(visits.map(({ target }) => target.podUid)).toEqual(candidates);
    expect(visits.map(({ key, target }) => [key, target.port, target.path])[0]).toEqual(["key", 8080, "/ws"]);
    expect(new Set(visits.map(({ nonce }) => nonce)).size).toBe(2);
    expect(news).toBe(2);
    await settle();
    expect(visits).toHaveLength(2);
  });

  it("comes back later and later, and blames a pod that has failed three times", async () => {
    const { visits, look } = desk([], refused);
    const waits: number[] = [];
    for (let round = 0; round < 7; round++) {
      look();
      await settle();
      const before = visits.length;
      let seconds = 0;
      for (; visits.length === before && seconds < 40; seconds++) {
        await clock.advance(1_000);
        look();
        await settle();
      }
      waits.push(seconds);
      if (round === 0) expect(look()?.kind).toBe("inconclusive");
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30]);
    expect(look()).toEqual({
      kind: "fail",
      why: expect.stringMatching(/^0 of 2 pods served the operator's client; .*: hello: it answers unavailable; /),
    });
  });

  it("blames nobody for what nobody could reach", async () => {
    const { look } = desk([], { kind: "unreachable", why: "ECONNREFUSED" });
    for (let second = 0; second < 60; second++) {
      look();
      await settle();
      await clock.advance(1_000);
    }
    expect(look()).toMatchObject({ kind: "inconclusive", why: expect.stringMatching(/ECONNREFUSED/) });
  });

  it("goes on after a fault of its own", async () => {
    const created = new SyntheticDesk({
      clock,
      clientPortOf: () => 8080,
      onVisited: () => news++,
      probe: () => Promise.reject(new Error("no such thing")),
    });
    created.verdictAt("apps/chat", at("verify"), FACTS, "key");
    await settle();
    expect(created.verdictAt("apps/chat", at("verify"), FACTS, "key")).toMatchObject({
      kind: "inconclusive",
      why: expect.stringMatching(/no such thing/),
    });
    expect(clock.timerCount).toBe(2);
  });

  it("visits a pod again that began anew", async () => {
    const { visits, look } = desk([]);
    look();
    await settle();
    const reborn = {
      ...FACTS,
      pods: FACTS.pods.map((pod) =>
        pod.state.kind === "known"
          ? { ...pod, state: { ...pod.state, value: { ...pod.state.value, bootNonce: "new" } } }
          : pod,
      ),
    };
    expect(look(reborn)?.kind).toBe("inconclusive");
    await settle();
    expect(visits).toHaveLength(4);
  });

  it("does not ask servers that know no probe, and nobody when it is off", async () => {
    const { visits, look, created } = desk([]);
    const foreign = {
      ...FACTS,
      pods: FACTS.pods.map((pod) =>
        pod.state.kind === "known"
          ? { ...pod, state: { ...pod.state, value: { ...pod.state.value, probe: undefined } } }
          : pod,
      ),
    };
    expect(look(foreign)).toEqual({ kind: "pass" });
    expect(look(withRollout({ syntheticClient: "Off" }))).toBeUndefined();
    expect([look(FACTS, "preflight"), look(FACTS, "move")]).toEqual([undefined, undefined]);
    expect(created.verdictAt("apps/chat", at("verify"), FACTS, undefined)?.kind).toBe("inconclusive");
    expect(visits).toEqual([]);
    expect(look(withRollout({ syntheticClient: "Warn" }))).toEqual({ kind: "pass" });
    await settle();
    expect(visits).toHaveLength(2);
  });

  it("leaves no timer behind", async () => {
    const { look, created } = desk([], refused);
    look();
    await settle();
    expect(clock.timerCount).toBe(2);
    created.forget("apps/chat");
    expect(clock.timerCount).toBe(0);
  });
});

describe("the desk of webhooks", () => {
  function desk(answers: Record<string, WebhookAnswer>, steps = 2) {
    const calls: WebhookCall[] = [];
    const created = new WebhookDesk({
      clock,
      onAnswer: () => news++,
      stepCount: () => steps,
      call: (call) => {
        calls.push(call);
        return Promise.resolve(answers[call.url] ?? { kind: "yes" });
      },
    });
    const look = (point: GatePoint, webhooks: Rollout["webhooks"]) =>
      created.verdictAt("apps/chat", at(point), withRollout({ webhooks }));
    return { calls, look, created };
  }
  const hook = (phase: "Preflight" | "Verify" | "Step" | "Promotion", url = "https://checks.example/") =>
    [{ name: "smoke", url, phase }] as const satisfies Rollout["webhooks"];

  it.each<["Preflight" | "Verify" | "Step" | "Promotion", GatePoint[]]>([
    ["Preflight", ["preflight"]],
    ["Verify", ["verify"]],
    ["Step", ["step 1", "step 2"]],
    ["Promotion", ["step 2"]],
  ])("asks in phase %s at its points only", (phase, points) => {
    const all: GatePoint[] = ["preflight", "verify", "step 1", "step 2", "move"];
    expect(all.filter((point) => desk({}).look(point, [...hook(phase)]) !== undefined)).toEqual(points);
    if (phase === "Promotion") expect(desk({}, 0).look("verify", [...hook(phase)])).toBeDefined();
  });

  it("asks once where the answer is yes, with numbers and nothing of people", async () => {
    const { calls, look } = desk({});
    expect(look("verify", [...hook("Verify")])).toEqual({
      kind: "inconclusive",
      why: "webhook smoke: it has not answered yet",
    });
    await settle();
    expect(look("verify", [...hook("Verify")])).toEqual({ kind: "pass" });
    await clock.advance(600_000);
    look("verify", [...hook("Verify")]);
    expect(calls).toHaveLength(1);
    expect(calls[0]?.timeoutMs).toBe(10_000);
    expect(JSON.parse(calls[0]?.body ?? "")).toEqual({
      webhook: "smoke",
      phase: "Verify",
      cluster: { namespace: "apps", name: "chat" },
      attempt: "r/1",
      point: "verify",
      image: "chat:2",
      candidate: { pods: 2, ready: 2, connections: 0, silent: 0 },
      old: { pods: 2, connections: 30 },
    });
  });

  it("asks anew at the next point", async () => {
    const { calls, look } = desk({});
    look("step 1", [...hook("Step")]);
    await settle();
    expect(look("step 2", [...hook("Step")])?.kind).toBe("inconclusive");
    await settle();
    expect(calls.map(({ body }) => (JSON.parse(body) as { point: string }).point)).toEqual(["step 1", "step 2"]);
  });

  it("goes on after a fault of its own", async () => {
    const call = () => Promise.reject(new Error("no such thing"));
    const created = new WebhookDesk({ clock, onAnswer: () => news++, stepCount: () => 0, call });
    const facts = withRollout({ webhooks: [...hook("Verify")] });
    created.verdictAt("apps/chat", at("verify"), facts);
    await settle();
    const why = "webhook smoke: it cannot be called";
    expect(created.verdictAt("apps/chat", at("verify"), facts)).toEqual({ kind: "inconclusive", why });
    expect(clock.timerCount).toBe(1);
  });

  it("fails for a no, and asks again in case somebody changes his mind", async () => {
    const { calls, look } = desk({ "https://checks.example/": { kind: "no", why: "it answers 403" } });
    look("verify", [...hook("Verify")]);
    await settle();
    expect(look("verify", [...hook("Verify")])).toEqual({ kind: "fail", why: "webhook smoke: it answers 403" });
    await clock.advance(29_000);
    look("verify", [...hook("Verify")]);
    expect(calls).toHaveLength(1);
    await clock.advance(1_000);
    look("verify", [...hook("Verify")]);
    expect(calls).toHaveLength(2);
  });

  it("is open for anything else, and asks later and later", async () => {
    const { calls, look, created } = desk({ "https://checks.example/": { kind: "unclear", why: "it answers 503" } });
    const times: number[] = [];
    for (let second = 0; second < 200; second++) {
      const before = calls.length;
      look("verify", [...hook("Verify")]);
      await settle();
      if (calls.length > before) times.push(second);
      await clock.advance(1_000);
    }
    expect(times).toEqual([0, 2, 6, 14, 30, 62, 122, 182]);
    expect(look("verify", [...hook("Verify")])).toEqual({ kind: "inconclusive", why: "webhook smoke: it answers 503" });
    created.forget("apps/chat");
    expect(clock.timerCount).toBe(0);
  });
});

describe("the desk of the analysis", () => {
  const page = (opened: number, errors: number): string =>
    [
      "process_start_time_seconds 1",
      ...["refused_upgrades", "resumes", "failed_resumes", "gaps", "messages_received", "publishes"].map(
        (name) => `# TYPE wscluster_${name}_total counter`,
      ),
      "# TYPE wscluster_connections_opened_total counter",
      `wscluster_connections_opened_total ${opened}`,
      "# TYPE wscluster_errors_total counter",
      `wscluster_errors_total ${errors}`,
      "",
    ].join("\n");

  function desk(pageOf: (isCandidate: boolean, round: number) => string | undefined) {
    const candidates = new Set(FACTS.pods.filter(isCandidate).map((pod) => pod.uid));
    const asked = new Map<string, number>();
    let receipts: Receipts | undefined = NO_RECEIPTS;
    const created = new AnalysisDesk({
      clock,
      adminPortOf: () => 8081,
      onRead: () => news++,
      receiptsOf: () => receipts,
      fetch: ({ target, onStart, onText }) => {
        const round = asked.get(target.uid) ?? 0;
        asked.set(target.uid, round + 1);
        const text = pageOf(candidates.has(target.uid), round);
        if (text === undefined) return Promise.resolve("no full answer within 3000 ms");
        onStart("text/plain");
        onText(text);
        return Promise.resolve(undefined);
      },
    });
    const facts = withRollout({ analysis: {} });
    return {
      created,
      asked,
      count: (more: Partial<Receipts>) => (receipts = { ...(receipts ?? NO_RECEIPTS), ...more }),
      hide: () => (receipts = undefined),
      /** Looks each second. */
      async after(seconds: number, point: GatePoint = "step 1") {
        for (let second = 0; second < seconds; second++) {
          created.verdictAt("apps/chat", at(point), facts);
          await clock.advance(1_000);
          await settle();
        }
        return created.verdictAt("apps/chat", at(point), facts);
      },
    };
  }

  it("passes a step after its interval, on what was counted in it", async () => {
    const { after, asked } = desk((_candidate, round) => page(1_000 + round * 20, 500));
    expect(await after(20)).toMatchObject({ kind: "inconclusive", why: "judged for 20 of 30 s" });
    expect(await after(15)).toEqual({ kind: "pass" });
    expect([...asked.values()]).toEqual([8, 8, 8, 8]);
    expect(news).toBe(8);
  });

  it("fails a candidate that makes errors which the old set does not make", async () => {
    const { after } = desk((candidate, round) => page(round * 40, candidate ? round * 10 : 0));
    expect(await after(12)).toEqual({
      kind: "fail",
      why: "errors: 40 of 160 (limit 5 %); old set: 0 of 160",
    });
  });

  it("begins a new interval at the next point, and stops where nothing is judged", async () => {
    const { after, created, asked } = desk((_candidate, round) => page(round * 20, 0));
    await after(35);
    expect(await after(1, "step 2")).toMatchObject({
      kind: "inconclusive",
      why: expect.stringMatching(/^judged for 1 of/),
    });
    expect(created.verdictAt("apps/chat", at("verify"), withRollout({ analysis: {} }))).toBeUndefined();
    expect(clock.timerCount).toBe(0);
    const before = [...asked.values()];
    await clock.advance(60_000);
    await settle();
    expect([...asked.values()]).toEqual(before);
  });

  it("says who is silent", async () => {
    const { after } = desk((candidate, round) => (candidate && round > 2 ? undefined : page(round * 40, 0)));
    expect(await after(60)).toMatchObject({
      kind: "inconclusive",
      why: expect.stringMatching(/does not tell its numbers: no full answer within 3000 ms/),
    });
  });

  it("counts the attempt's moves of the interval only, and leaves out those who cannot move", async () => {
    const { after, count, hide } = desk((_candidate, round) => page(round * 40, 0));
    count({ offered: 500, refused: 400 });
    await after(1);
    count({ offered: 600, refused: 405, cut: 50 });
    expect(await after(35)).toEqual({ kind: "pass" });
    count({ offered: 600, refused: 410, late: 5 });
    expect(await after(1)).toEqual({ kind: "fail", why: "failed moves: 15 of 50 (limit 10 %)" });
    hide();
    expect(await after(1)).toEqual({ kind: "inconclusive", why: "failed moves of the candidate are not known" });
  });
});
