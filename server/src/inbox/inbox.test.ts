import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { BrokerUnavailable } from "../broker/port.ts";
import { MemoryBroker, MemoryStore } from "../testing/index.ts";
import type { Connection } from "../session/connection.ts";
import type { RawClient } from "../testing/raw-client.ts";
import { createStage } from "../testing/stage.ts";
import { answerInbox } from "./requests.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

let ids = 100;

async function person(url: string, user: string, device = "phone"): Promise<RawClient> {
  const client = await connect(url);
  client.hello({ user, device, producer: { id: `${user}-${device}`, gen: 1 } });
  await client.find("ready");
  return client;
}

async function openInbox(client: RawClient): Promise<number> {
  const i = (ids += 1);
  client.send({ t: "inbox.open", i });
  const { e, o } = await client.find("inbox.ok", (frame) => frame.i === i);
  client.send({ t: "sub", i: (ids += 1), c: "~inbox", from: { epoch: e, offset: o } });
  await client.find("sub.ok", ({ c }) => c === "~inbox");
  return o;
}

async function send(client: RawClient, to: string, s: number, d: unknown) {
  const i = (ids += 1);
  client.send({ t: "pub", i, c: `~user/${to}`, s, d });
  return client.find("pub.ok", (frame) => frame.i === i);
}

async function ack(client: RawClient, e: string, o: number, read = false): Promise<void> {
  const i = (ids += 1);
  client.send({ t: "inbox.ack", i, e, o, ...(read ? { read } : {}) });
  await client.find("inbox.ok", (frame) => frame.i === i);
}

const inboxOf = (client: RawClient) => client.publications("~inbox").map(({ p, d }) => [p, d]);

describe("an inbox", () => {
  it("waits for a user who is away, and brings receipts to the sender as stored, delivered, read", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const ann = await person(a.url, "ann");
    await openInbox(ann);
    await send(ann, "bob", 1, "one");
    const stored = await send(ann, "bob", 2, "two");
    const bob = await person(b.url, "bob");
    expect(await openInbox(bob)).toBe(0);
    await bob.find("pub", ({ d }) => d === "two");
    expect(inboxOf(bob)).toEqual([
      ["ann", "one"],
      ["ann", "two"],
    ]);
    await ack(bob, stored.e, stored.o);
    const receipt = (kind: string) => ({ kind, to: "bob", e: stored.e, o: stored.o });
    await expect.poll(() => inboxOf(ann)).toEqual([["~receipt/bob", receipt("delivered")]]);
    await ack(bob, stored.e, stored.o, true);
    await expect.poll(() => inboxOf(ann).at(-1)).toEqual(["~receipt/bob", receipt("read")]);
    // Receipts are acknowledged as messages are, and cause none.
    const [last] = ann.publications("~inbox").slice(-1);
    await ack(ann, last?.e ?? stored.e, last?.o ?? 0, true);
    await ack(bob, stored.e, stored.o, true);
    expect((await new MemoryBroker({ store }).read("default/~user/ann", 0, 10)).items).toHaveLength(2);
    expect((await new MemoryBroker({ store }).read("default/~user/bob", 0, 10)).items).toHaveLength(2);
  });

  it("is redelivered to each device until that one has acknowledged", async () => {
    const a = await server();
    const ann = await person(a.url, "ann");
    const { e } = await send(ann, "bob", 1, 1);
    await send(ann, "bob", 2, 2);
    const phone = await person(a.url, "bob");
    await openInbox(phone);
    await phone.find("pub", ({ d }) => d === 2);
    await ack(phone, e, 1);
    phone.ws.terminate();
    await send(ann, "bob", 3, 3);
    const again = await person(a.url, "bob");
    expect(await openInbox(again)).toBe(1);
    await again.find("pub", ({ d }) => d === 3);
    expect(inboxOf(again).map(([, d]) => d)).toEqual([2, 3]);
    const laptop = await person(a.url, "bob", "laptop");
    expect(await openInbox(laptop)).toBe(0);
  });

  it("can be read by its user alone, in its tenant, and written by everybody there", async () => {
    const a = await server();
    const eve = await person(a.url, "eve");
    eve.send({ t: "sub", i: 1, c: "~user/bob" });
    eve.send({ t: "fetch", i: 2, c: "~user/bob", from: { epoch: "x", offset: 0 }, n: 10 });
    eve.send({ t: "pub", i: 3, c: "~inbox", s: 1, d: 1 });
    eve.send({ t: "presence.enter", i: 4, c: "~user/bob", d: 1 });
    for (const i of [1, 2, 3, 4])
      expect(await eve.find("err", (frame) => frame.i === i)).toMatchObject({ code: "bad-channel" });
    const other = await connect(a.url);
    other.hello({ user: "eve", sub: [{ c: "~user/bob" }] });
    await other.find("ready");
    expect(other.frames.some(({ t }) => t === "sub.ok")).toBe(false);
  });

  it("keeps so many messages, and says which are gone", async () => {
    const store = new MemoryStore();
    const broker = new MemoryBroker({
      store,
      policy: () => ({
        history: { maxLength: 1, ttlMs: 1 },
        inbox: { maxLength: 3, ttlMs: 60_000 },
        metaTtlMs: 1e9,
        sessionMaxAgeMs: 1e9,
      }),
    });
    const a = await server({ broker });
    const ann = await person(a.url, "ann");
    for (let s = 1; s <= 5; s += 1) await send(ann, "bob", s, s);
    const bob = await person(a.url, "bob");
    expect(await openInbox(bob)).toBe(2);
    await bob.find("pub", ({ d }) => d === 5);
    expect(inboxOf(bob).map(([, d]) => d)).toEqual([3, 4, 5]);
  });
});

describe("acknowledging", () => {
  it("loses no receipt and says none twice, at whatever call the pod dies", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            diesAt: fc.integer({ min: 1, max: 9 }),
            upTo: fc.integer({ min: 1, max: 6 }),
            read: fc.boolean(),
          }),
          {
            maxLength: 6,
          },
        ),
        async (tries) => {
          const broker = new MemoryBroker();
          const inbox = "t/~user/bob";
          for (let n = 1; n <= 6; n += 1) {
            const user = n % 2 === 0 ? "ann" : "eve";
            await broker.publish({ stream: inbox, producer: `t/${user}/p`, gen: n, seq: 1, user, data: String(n) });
          }
          const { top } = await broker.read(inbox, 0, 1);
          const acknowledge = async (upTo: number, read: boolean, diesAt: number) => {
            let calls = 0;
            const dying = <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) => {
              return async (...args: A): Promise<R> => {
                calls += 1;
                if (calls === diesAt) throw new BrokerUnavailable("the pod died");
                return call(...args);
              };
            };
            const connection = {
              row: { tenant: "t", user: "bob", device: "phone" },
              context: {
                broker: {
                  read: dying(broker.read.bind(broker)),
                  publish: dying(broker.publish.bind(broker)),
                  cursors: { get: dying(broker.cursors.get), advance: dying(broker.cursors.advance) },
                },
              },
              send: () => {},
            } as unknown as Connection;
            await answerInbox(connection, { t: "inbox.ack", i: 1, e: top.epoch, o: upTo, ...(read ? { read } : {}) });
          };
          for (const { upTo, read, diesAt } of tries) await acknowledge(upTo, read, diesAt).catch(() => {});
          await acknowledge(6, true, 0);
          for (const [sender, last] of [
            ["ann", 6],
            ["eve", 5],
          ] as const) {
            const { items } = await broker.read(`t/~user/${sender}`, 0, 100);
            const said = items.map(({ data }) => JSON.parse(data.toString()) as { kind: string; o: number });
            for (const kind of ["delivered", "read"]) {
              const offsets = said.filter((receipt) => receipt.kind === kind).map(({ o }) => o);
              expect(offsets.at(-1)).toBe(last);
              expect(offsets).toEqual([...new Set(offsets)].sort((one, two) => one - two));
            }
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
