import { MemoryStore, startServer } from "@wscluster/server/testing";
import type { TestServer } from "@wscluster/server/testing";
import { afterEach, describe, expect, it } from "vitest";
import { Actor, FLAWLESS, TinyEdge, until, verdictOf } from "./stage.ts";

const CHANNEL = "room";
const cleanups: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function fleet(count: number) {
  const store = new MemoryStore();
  const servers = await Promise.all([startServer({ broker: store }), startServer({ broker: store })]);
  for (const server of servers) cleanups.push(() => server.stop());
  const [blue, green] = servers as [TestServer, TestServer];
  const edge = new TinyEdge(servers);
  edge.closed.add(green);
  const actors = Array.from({ length: count }, (_, at) => new Actor(`actor-${at}`, edge));
  for (const { client } of actors) cleanups.push(() => client.close());
  await Promise.all(actors.map((actor) => actor.join(CHANNEL)));
  return { store, blue, green, edge, actors };
}

/** Everybody publishes all the time, until stopped. */
function traffic(actors: readonly Actor[], everyMs = 4) {
  const timer = setInterval(() => {
    for (const actor of actors) actor.publish(CHANNEL);
  }, everyMs);
  const stop = () => clearInterval(timer);
  cleanups.push(stop);
  return stop;
}

async function arrived(actors: readonly Actor[]) {
  await until(() => actors.every((actor) => actor.acknowledged.get(CHANNEL) === actor.called.get(CHANNEL)), "answers");
  const total = actors.reduce((sum, actor) => sum + (actor.called.get(CHANNEL) ?? 0), 0);
  await until(() => actors.every((actor) => (actor.got.get(CHANNEL)?.length ?? 0) >= total), `${total} messages each`);
  // Repetitions would come late: a message published now is behind them.
  const [first] = actors;
  first?.publish(CHANNEL);
  await until(() => actors.every((actor) => (actor.got.get(CHANNEL)?.length ?? 0) > total), "the last message");
}

describe("a move between two real servers, under traffic", () => {
  it("loses, repeats and swaps nothing, and nobody was away", async () => {
    const { blue, green, actors } = await fleet(6);
    const witness = actors[0] as Actor;
    const movers = actors.slice(1);
    const stop = traffic(actors);
    await until(() => witness.client.counters.received > 100, "traffic");
    for (const { session } of movers) expect(blue.forceMove(session, green)).toBeTypeOf("string");
    await until(() => movers.every(({ client }) => client.counters.moves === 1), "moves");
    await until(() => witness.client.counters.received > 500, "traffic after the moves");
    stop();
    await arrived(actors);

    expect(verdictOf(actors, CHANNEL)).toEqual(FLAWLESS);
    for (const { client, stories, gaps } of movers) {
      expect(client.counters).toMatchObject({ moves: 1, movesFailed: 0, resumes: 0, disconnects: 0, reconnects: 0 });
      expect([client.pod, gaps]).toEqual([green.podKey, 0]);
      const [old, next] = stories;
      expect(stories).toHaveLength(2);
      expect(next?.pod).toBe(green.podKey);
      expect(next?.welcomedAtMs).toBeLessThan(old?.closeCalledAtMs ?? 0);
      expect(old?.closeCalledAtMs).toBeLessThan(old?.closedAtMs ?? Number.POSITIVE_INFINITY);
      expect(old?.closeCode).toBe(1000);
    }
    expect((await green.state()).connections).toBe(movers.length);
    const receipts = (await green.state()).receipts["rebalance/test"];
    expect(receipts).toMatchObject({ moved: movers.length, resumed: 0, refused: 0, late: 0 });
  });

  it("can be made again and again, there and back", async () => {
    const { blue, green, actors } = await fleet(3);
    const stop = traffic(actors);
    const [mover] = actors as [Actor];
    for (let round = 1; round <= 8; round += 1) {
      const [from, to] = round % 2 === 1 ? [blue, green] : [green, blue];
      expect(from.forceMove(mover.session, to)).toBeTypeOf("string");
      await until(() => mover.client.counters.moves === round && mover.client.pod === to.podKey, `move ${round}`);
      await until(() => to.sessions().includes(mover.session), "the session");
      await until(() => mover.events.filter(({ type }) => type === "moved").length === round, "the old socket left");
    }
    stop();
    await arrived(actors);
    expect(verdictOf(actors, CHANNEL)).toEqual(FLAWLESS);
    expect(mover.client.counters).toMatchObject({ moves: 8, resumes: 0, disconnects: 0, gaps: 0 });
  });

  it("to a pod that is gone is refused, and the client stays", async () => {
    const { blue, green, actors } = await fleet(2);
    await green.kill();
    const stop = traffic(actors);
    const [mover] = actors as [Actor];
    blue.forceMove(mover.session, green);
    await until(() => mover.client.counters.movesFailed === 1, "the failure");
    stop();
    await arrived(actors);
    expect(verdictOf(actors, CHANNEL)).toEqual(FLAWLESS);
    expect(mover.client.counters).toMatchObject({ moves: 0, disconnects: 0 });
    await expect.poll(async () => (await blue.state()).receipts["rebalance/test"]?.refused).toBe(1);
  });
});

describe("a pod that dies without a word", () => {
  it("costs a reconnect and no message", async () => {
    const { blue, green, edge, actors } = await fleet(4);
    const stop = traffic(actors);
    await until(() => (actors[0]?.client.counters.received ?? 0) > 60, "traffic");
    edge.closed.delete(green);
    edge.closed.add(blue);
    await blue.kill();
    await until(() => actors.every(({ client }) => client.pod === green.podKey && client.state === "live"), "all back");
    stop();
    await arrived(actors);
    expect(verdictOf(actors, CHANNEL)).toEqual(FLAWLESS);
    for (const { client, gaps } of actors) {
      expect(client.counters).toMatchObject({ resumes: 1, newSessions: 0, moves: 0 });
      expect(gaps).toBe(0);
    }
  });

  it("in the middle of a move costs no message either", async () => {
    const { blue, green, edge, actors } = await fleet(4);
    const stop = traffic(actors);
    edge.closed.delete(green);
    edge.closed.add(blue);
    for (const { session } of actors) blue.forceMove(session, green);
    await until(() => actors.some(({ stories }) => stories.length > 1), "the first second socket");
    await blue.kill();
    await until(() => actors.every(({ client }) => client.pod === green.podKey && client.state === "live"), "all over");
    stop();
    await arrived(actors);
    expect(verdictOf(actors, CHANNEL)).toEqual(FLAWLESS);
    for (const { client } of actors) expect(client.counters.newSessions).toBe(0);
  });
});

describe("a pod that is told to end", () => {
  it("moves everybody to its peer before it goes", async () => {
    const { blue, green, edge, actors } = await fleet(6);
    const stop = traffic(actors);
    edge.closed.delete(green);
    edge.closed.add(blue);
    await blue.terminate();
    stop();
    await arrived(actors);
    expect(verdictOf(actors, CHANNEL)).toEqual(FLAWLESS);
    for (const { client } of actors) {
      expect(client.pod).toBe(green.podKey);
      expect(client.counters).toMatchObject({ moves: 1, resumes: 0, disconnects: 0 });
    }
  });
});
