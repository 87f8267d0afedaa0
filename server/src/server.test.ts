import { afterEach, describe, expect, it } from "vitest";
import { MemoryStore } from "./testing/index.ts";
import { createStage } from "./testing/stage.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

describe("a conversation", () => {
  it("welcomes, subscribes, publishes and delivers the payload's bytes as they came", async () => {
    const a = await server();
    const client = await connect(a.url);
    client.hello({ user: "ann", sub: [{ c: "room" }] });
    const welcome = await client.find("welcome");
    expect(welcome).toMatchObject({ resumed: false, prepared: false, g: 1, user: "ann", pod: a.podKey });
    expect(welcome.secret).toMatch(/^[\w-]{43}$/);
    await client.find("ready");
    const texts: string[] = [];
    client.ws.on("message", (data) => texts.push(data.toString()));
    client.ws.send('{"t":"pub","i":7,"c":"room","s":1,"d": {"n":1.0,"big":12345678901234567890,"u":"\\u00e9"} }');
    const ok = await client.find("pub.ok");
    expect(ok).toMatchObject({ i: 7, o: 1 });
    await client.find("pub");
    const text = texts.find((one) => one.startsWith('{"t":"pub",'));
    expect(text).toContain('"d":{"n":1.0,"big":12345678901234567890,"u":"\\u00e9"}}');
    expect(text).toContain(`"o":1,"e":"${ok.e}","p":"ann"`);
  });

  it("replays from a position, then goes live", async () => {
    const a = await server();
    const writer = await connect(a.url);
    writer.hello();
    for (let s = 1; s <= 250; s += 1) writer.send({ t: "pub", i: s, c: "room", s, d: s });
    const { e } = await writer.find("pub.ok", (frame) => frame.o === 250);
    const reader = await connect(a.url);
    reader.hello({ sub: [{ c: "room", from: { epoch: e, offset: 20 } }] });
    expect(await reader.find("sub.ok")).toMatchObject({ i: 0, e, o: 250, recovered: true });
    await reader.find("ready");
    writer.send({ t: "pub", i: 251, c: "room", s: 251, d: 251 });
    await reader.find("pub", (frame) => frame.o === 251);
    expect(reader.publications("room").map((frame) => frame.o)).toEqual(Array.from({ length: 231 }, (_, n) => n + 21));
  });

  it("moves in two phases and fences the old socket", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const old = await connect(a.url);
    old.hello({ user: "ann", sub: [{ c: "room" }] });
    const welcome = await old.find("welcome");
    await old.find("ready");
    old.send({ t: "pub", i: 1, c: "room", s: 1, d: "one" });
    const first = await old.find("pub");
    expect(a.forceMove(welcome.session, b)).toBeDefined();
    const migrate = await old.find("migrate");
    expect(migrate).toMatchObject({ pod: b.podKey, reason: "rebalance" });
    const next = await connect(b.url, migrate);
    const resume = {
      session: welcome.session,
      secret: welcome.secret ?? "",
      pos: [["room", first.e ?? "", 1] as const],
    };
    next.hello({ resume, ticket: migrate.ticket, prepare: true });
    expect(await next.find("welcome")).toMatchObject({
      prepared: true,
      resumed: false,
      g: 1,
      session: welcome.session,
    });
    expect(await next.find("sub.ok")).toMatchObject({ i: 0, c: "room", o: 1, recovered: true });
    await next.find("ready");
    next.send({ t: "pub", i: 5, c: "room", s: 2, d: "too early" });
    expect(await next.find("err")).toMatchObject({ i: 5, code: "not-ready" });
    old.send({ t: "pub", i: 2, c: "room", s: 2, d: "two" });
    await Promise.all([old.find("pub", (frame) => frame.o === 2), next.find("pub", (frame) => frame.o === 2)]);
    next.send({ t: "commit", i: 9 });
    expect(await next.find("commit.ok")).toMatchObject({ i: 9, g: 2 });
    await expect.poll(() => a.sessions()).toEqual([]);
    old.send({ t: "pub", i: 3, c: "room", s: 3, d: "late" });
    expect(await old.find("err")).toMatchObject({ i: 3, code: "fenced" });
    next.send({ t: "pub", i: 6, c: "room", s: 3, d: "three" });
    await next.find("pub", (frame) => frame.o === 3);
    await expect
      .poll(async () => (await b.state()).receipts["rebalance/test"])
      .toMatchObject({ offered: 1, moved: 1, late: 0 });
    old.close();
    expect(await old.closed).toBe(1_000);
    expect(b.sessions()).toEqual([welcome.session]);
    expect(store.sessions.get(welcome.session)?.row).toMatchObject({ g: 2, owner: b.podKey });
  });
});
