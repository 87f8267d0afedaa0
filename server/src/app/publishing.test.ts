import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { MemoryBroker, MemoryStore } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

/** Remembers what this pod listens to. */
class ListeningBroker extends MemoryBroker {
  readonly listens: string[] = [];
  override subscribe(stream: string): Promise<void> {
    this.listens.push(stream);
    return super.subscribe(stream);
  }
}

const OWN = ["~me", "~session", "~tenant", "~all"];

async function device(url: string, user: string) {
  const client = await connect(url);
  client.hello({ user, sub: OWN.map((c) => ({ c })) });
  const { session } = await client.find("welcome");
  await client.find("ready");
  const got = () => client.frames.flatMap((frame) => (frame.t === "pub" ? [`${frame.c} ${String(frame.d)}`] : []));
  return { client, session, got };
}

describe("publishing to", () => {
  it("a user, a session, a tenant or everybody reaches just these, from any pod, and pods without them do not listen", async () => {
    const store = new MemoryStore();
    const [one, two] = [new ListeningBroker({ store }), new ListeningBroker({ store })];
    const [a, b] = [await server({ broker: one }), await server({ broker: two })];
    const [phone, laptop, bob] = [await device(a.url, "ann"), await device(a.url, "ann"), await device(a.url, "bob")];
    expect(two.listens).toEqual(["/~orders"]);
    const { publisher } = b.pod;
    await publisher.publish({ type: "user", id: "ann" }, "to ann");
    await publisher.publish({ type: "session", id: laptop.session }, "to the laptop");
    await publisher.publish({ type: "tenant", id: "default" }, "to the tenant");
    await publisher.publish({ type: "tenant", id: "acme" }, "to another");
    await publisher.publish({ type: "all" }, "to all");
    for (const one of [phone, laptop, bob]) await one.client.find("pub", ({ d }) => d === "to all");
    const both = ["~tenant to the tenant", "~all to all"];
    expect([phone, laptop, bob].map(({ got }) => got().toSorted())).toEqual(
      [["~me to ann", ...both], ["~me to ann", "~session to the laptop", ...both], both].map((list) => list.toSorted()),
    );
    expect(bob.client.publications("~all")).toMatchObject([{ p: "~server/app" }]);
  });

  it("a channel or an inbox stores what comes under one key once", async () => {
    const a = await server();
    const { publisher } = a.pod;
    const target = { type: "inbox", id: "ann" } as const;
    const first = await publisher.publish(target, { n: 1 }, { key: "order-7", from: "shop" });
    expect(await publisher.publish(target, { n: 1 }, { key: "order-7" })).toEqual({ ...first, dup: true });
    expect(await publisher.publish({ type: "channel", id: "room" }, 1)).toMatchObject({ offset: 1, dup: false });
    await expect(publisher.publish({ type: "channel", id: "~me" }, 1)).rejects.toMatchObject({ code: "bad-target" });
    await expect(publisher.publish({ type: "user", id: "a/b" }, 1)).rejects.toMatchObject({ code: "bad-target" });
    await expect(publisher.publish(target, "x".repeat(70_000))).rejects.toMatchObject({ code: "bad-payload" });
  });

  it("is for servers alone", async () => {
    const a = await server();
    const { client } = await device(a.url, "eve");
    for (const [at, c] of ["~me", "~me/ann", "~tenant", "~all", "~session"].entries()) {
      client.send({ t: "pub", i: at + 1, c, s: 1, d: 1 });
      expect(await client.find("err", ({ i }) => i === at + 1)).toMatchObject({ code: "bad-channel" });
    }
  });

  it("a user, a tenant or everybody reaches plain clients without their asking", async () => {
    const a = await server();
    const socket = new WebSocket(a.url);
    const got: unknown[] = [];
    socket.on("message", (text: Buffer) => got.push(JSON.parse(text.toString())));
    await new Promise((resolve) => socket.once("open", resolve));
    socket.send('{"type":"authenticate","user":"ann"}');
    socket.send('{"type":"ping","id":1}');
    await expect.poll(() => got).toContainEqual({ type: "pong", id: 1 });
    await a.pod.publisher.publish({ type: "user", id: "ann" }, "hello");
    await expect.poll(() => got.at(-1)).toMatchObject({ type: "message", channel: "~me", data: "hello" });
    expect(got).toHaveLength(3);
    socket.terminate();
  });
});
