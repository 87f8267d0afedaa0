// examples/python against real servers: moved, cut and moved again while everybody publishes; the oracle counts.

import { join } from "node:path";
import { connect } from "@wscluster/client";
import type { Message } from "@wscluster/client";
import { MemoryStore, startServer } from "@wscluster/server/testing";
import type { TestServer } from "@wscluster/server/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { Oracle } from "../oracle/oracle.ts";
import { JournalProcess } from "./journal-process.ts";
import { startTestEdge } from "./test-edge.ts";
import type { TestEdge } from "./test-edge.ts";
import { REPOSITORY, pythonWith, whySkipped } from "./toolchains.ts";

const FOLDER = join(REPOSITORY, "examples/python");
const CHANNEL = "room";
const COUNT = 120;

const python = await pythonWith(join(FOLDER, "requirements.txt"));

describe.skipIf(!python.found)(`the Python client${whySkipped(python)}`, { timeout: 60_000 }, () => {
  const followers: JournalProcess[] = [];
  const ends: (() => Promise<void> | void)[] = [];
  let store: MemoryStore;
  let servers: TestServer[] = [];
  let edge: TestEdge;

  beforeEach(async () => {
    store = new MemoryStore();
    servers = await Promise.all([startServer({ broker: store }), startServer({ broker: store })]);
    edge = await startTestEdge(servers, server(0));
  });

  afterEach(async () => {
    await Promise.all(followers.splice(0).map((follower) => follower.kill()));
    for (const end of ends.splice(0)) await end();
    await edge.stop();
    await Promise.all(servers.map((started) => started.stop()));
  });

  const server = (index: number): TestServer => servers[index] ?? expect.unreachable();

  function follow(user: string, count: number): JournalProcess {
    const args = [
      "-B",
      "-u",
      "follow.py",
      edge.url,
      CHANNEL,
      "--user",
      user,
      "--publish",
      String(count),
      "--every",
      "0.02",
    ];
    const follower = new JournalProcess({ command: python.found ? python.path : "", args, cwd: FOLDER });
    followers.push(follower);
    return follower;
  }

  /** An SDK client that stays where it is and sees everything. */
  async function watch(): Promise<readonly Message<Data>[]> {
    const messages: Message<Data>[] = [];
    const webSocket = (url: string, protocol: string) => new WebSocket(url, protocol);
    const client = connect({ url: server(1).url, user: "watcher", webSocket });
    ends.push(() => client.close());
    await client.subscribe<Data>(CHANNEL, { onMessage: (message) => void messages.push(message) }).subscribed();
    return messages;
  }

  function moveAll(from: TestServer, to: TestServer): number {
    return from.sessions().filter((session) => from.forceMove(session, to) !== undefined).length;
  }

  it("loses and repeats nothing while it is moved, cut, and moved back", async () => {
    const witness = await watch();
    const [ann, bob] = [follow("ann", COUNT), follow("bob", COUNT)];
    const both = [ann, bob];
    await Promise.all(both.map((follower) => follower.find("stored", 15)));

    expect(moveAll(server(0), server(1))).toBe(2);
    await Promise.all(both.map((follower) => follower.find("moved")));
    await Promise.all(both.map((follower) => follower.find("stored", 40)));

    edge.takesNew = server(0);
    edge.cutAll();
    await Promise.all(both.map((follower) => follower.find("welcome", 3)));
    await Promise.all(both.map((follower) => follower.find("stored", 70)));

    expect(moveAll(server(0), server(1))).toBe(2);
    await Promise.all(both.map((follower) => follower.find("moved", 2)));
    await Promise.all(both.map((follower) => follower.find("published")));
    await Promise.all(both.map((follower) => follower.find("message", 2 * COUNT - 10)));
    await expect.poll(() => witness.length, { timeout: 10_000 }).toBe(2 * COUNT);
    await settled(both, witness);

    const oracle = new Oracle();
    oracle.subscribed({ client: "watcher", channel: CHANNEL, after: 0 });
    for (const message of witness) oracle.received(evidence("watcher", message));
    for (const [client, follower] of [["ann", ann] as const, ["bob", bob] as const]) report(oracle, client, follower);
    const verdict = oracle.verdict();
    expect(verdict.examples).toEqual([]);
    expect(verdict).toMatchObject({ ok: true, published: 2 * COUNT, acknowledged: 2 * COUNT, unanswered: 0, weak: [] });

    const welcomes = (follower: JournalProcess) =>
      follower.of("welcome").map(({ g, prepared, resumed }) => ({ g, prepared, resumed }));
    for (const follower of both) {
      expect(welcomes(follower)).toEqual([
        { g: 1, prepared: false, resumed: false },
        { g: 1, prepared: true, resumed: false },
        { g: 3, prepared: false, resumed: true },
        { g: 3, prepared: true, resumed: false },
      ]);
      expect(
        follower.entries.filter(({ event }) => ["hole", "gap", "diverged", "move failed"].includes(event)),
      ).toEqual([]);
      expect(await follower.finish()).toEqual({ exitCode: 0, errors: "" });
    }
    expect((await server(0).state()).receipts["rebalance/test"]).toMatchObject({ offered: 4, moved: 4 });
  });

  it("publishes again what the store lost, and tells of it", async () => {
    const ann = follow("ann", 3);
    await ann.find("published");
    await ann.find("message", 3);
    const before = store.snapshot();
    const bob = follow("bob", 3);
    await bob.find("published");
    await ann.find("message", 6);
    store.failOver(before);
    expect(await ann.find("diverged")).toMatchObject({ o: 3, prev: { offset: 3 } });
    await ann.find("message", 9);
    const ids = ann.of("message").map(({ offset, data }) => [offset, (data as Data).id]);
    expect(ids.slice(6)).toEqual([
      [4, "bob:1"],
      [5, "bob:2"],
      [6, "bob:3"],
    ]);
  });

  it("stays where it is when the move cannot be made", async () => {
    const ann = follow("ann", 20);
    await ann.find("stored", 3);
    const [session = ""] = server(0).sessions();
    await server(1).stop();
    server(0).forceMove(session, server(1));
    await ann.find("move failed");
    await ann.find("published");
    await ann.find("message", 20);
    expect(ann.of("message").map(({ offset }) => offset)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect((await server(0).state()).receipts["rebalance/test"]).toMatchObject({ refused: 1, moved: 0 });
  });
});

type Data = { readonly id: string; readonly seq: number };

async function settled(followers: readonly JournalProcess[], witness: readonly Message<Data>[]): Promise<void> {
  for (const follower of followers) {
    const after = Number(follower.of("subscribed")[0]?.["offset"]);
    await follower.find("message", witness.length - after);
  }
}

function evidence(client: string, { offset, publisher, data }: Pick<Message<Data>, "offset" | "publisher" | "data">) {
  return { client, channel: CHANNEL, offset, id: data.id, publisher, seq: data.seq };
}

function report(oracle: Oracle, client: string, follower: JournalProcess): void {
  oracle.subscribed({ client, channel: CHANNEL, after: Number(follower.of("subscribed")[0]?.["offset"]) });
  for (const { event, ...facts } of follower.entries) {
    const { id, offset, publisher, data } = facts as unknown as {
      id: string;
      offset: number;
      publisher: string;
      data: Data;
    };
    if (event === "publishing") oracle.published({ publisher: client, channel: CHANNEL, id, at: 0 });
    else if (event === "stored") oracle.acknowledged({ channel: CHANNEL, id, offset, at: 0 });
    else if (event === "message") oracle.received(evidence(client, { offset, publisher, data }));
  }
}
