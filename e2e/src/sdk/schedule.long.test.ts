import { MemoryStore, startServer } from "@wscluster/server/testing";
import type { TestServer } from "@wscluster/server/testing";
import { afterEach, describe, expect, it } from "vitest";
import { seededRandom } from "../load/seeded-random.ts";
import { Actor, FLAWLESS, TinyEdge, until, verdictOf } from "./stage.ts";

const CHANNELS = ["lobby", "desk"];
const SEEDS = [1, 2, 3, 4, 5];
const cleanups: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

describe("any schedule of moves, cuts and dying pods", () => {
  it.each(SEEDS)("loses, repeats and swaps nothing (seed %i)", async (seed) => {
    const random = seededRandom(seed);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const store = new MemoryStore();
    const start = async () => {
      const server = await startServer({ broker: store });
      cleanups.push(() => server.stop());
      return server;
    };
    const servers: TestServer[] = [await start(), await start(), await start()];
    const edge = new TinyEdge(servers);
    const actors = Array.from({ length: 5 }, (_, at) => new Actor(`actor-${at}`, edge));
    for (const { client } of actors) cleanups.push(() => client.close());
    await Promise.all(actors.map((actor) => actor.join(...CHANNELS)));
    const timer = setInterval(() => {
      for (const actor of actors) actor.publish(pick(CHANNELS));
    }, 3);
    cleanups.push(() => clearInterval(timer));

    const holderOf = (actor: Actor) => edge.servers.find((server) => server.sessions().includes(actor.session));
    for (let step = 0; step < 40; step += 1) {
      const actor = pick(actors);
      const holder = holderOf(actor);
      const act = random();
      if (act < 0.6) holder?.forceMove(actor.session, pick(edge.servers), { deadlineMs: 2_000 });
      else if (act < 0.75) actor.stories.findLast((story) => story.socket.readyState === 1)?.socket.terminate();
      else if (act < 0.9) holder?.breakSocket(actor.session);
      else if (act < 0.95) {
        const victim = pick(edge.servers);
        edge.servers.splice(edge.servers.indexOf(victim), 1, await start());
        await victim.kill();
      }
      await new Promise((wake) => setTimeout(wake, random() * 40));
    }
    clearInterval(timer);
    for (const channel of CHANNELS) {
      await until(
        () => actors.every((actor) => actor.acknowledged.get(channel) === actor.called.get(channel)),
        "answers",
      );
      const total = actors.reduce((sum, actor) => sum + (actor.called.get(channel) ?? 0), 0);
      await until(() => actors.every((actor) => (actor.got.get(channel)?.length ?? 0) >= total), "all messages");
      expect(verdictOf(actors, channel)).toEqual(FLAWLESS);
    }
    expect(actors.flatMap((actor) => actor.failures)).toEqual([]);
    expect(actors.reduce((sum, { client }) => sum + client.counters.moves, 0)).toBeGreaterThan(3);
    expect(actors.every(({ gaps, client }) => gaps === 0 && client.counters.newSessions === 0)).toBe(true);
  });
});
