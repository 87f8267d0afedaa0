import { describe, expect, it } from "vitest";
import { isClientError } from "./errors.ts";
import { history } from "./history.ts";
import type { Message } from "./subscription.ts";
import { POD, pub, ready, stage, subOk, welcome } from "./testing/scripted-server.ts";

const CHANNEL = "room";

async function live(options: Parameters<typeof stage>[0] = {}) {
  const scene = stage(options);
  await scene.clock.advance(0);
  scene.socket().open().say(welcome(), ready);
  return scene;
}

async function subscribed(top = 0) {
  const scene = await live();
  const got: Message[] = [];
  const gaps: unknown[] = [];
  const diverged: unknown[] = [];
  const subscription = scene.client.subscribe(CHANNEL, {
    onMessage: (message) => void got.push(message),
    onGap: (gap) => void gaps.push(gap),
    onDiverged: (event) => void diverged.push(event),
  });
  scene.socket().say(subOk(CHANNEL, top, { i: scene.socket().last("sub").i }));
  return { ...scene, got, gaps, diverged, subscription, offsets: () => got.map((message) => message.offset) };
}

describe("a first connection", () => {
  it("says hello once the socket is open and is live at ready", async () => {
    const scene = stage({ token: "jwt", device: "phone" });
    await scene.clock.advance(0);
    expect(scene.client.state).toBe("connecting");
    scene.socket().open();
    expect(scene.socket().protocol).toBe("wscluster.v1.json");
    expect(scene.socket().last("hello")).toEqual({
      t: "hello",
      token: "jwt",
      device: "phone",
      instance: expect.stringMatching(/^\w{16}$/),
      producer: { id: "p1", gen: 1 },
      caps: ["migrate", "resume"],
    });
    scene.socket().say(welcome());
    expect(scene.client.state).toBe("restoring");
    const isReady = scene.client.ready();
    scene.socket().say(ready);
    await isReady;
    expect([scene.client.state, scene.client.pod, scene.client.user]).toEqual(["live", POD.blue, "ann"]);
  });

  it("asks a token provider and never puts a second socket up while it waits", async () => {
    let give = (_: string): void => {};
    const scene = stage({ token: () => new Promise((resolve) => (give = resolve)) });
    await scene.clock.advance(1_000);
    expect(scene.sockets).toHaveLength(0);
    give("fresh");
    await scene.clock.advance(0);
    expect(scene.socket().open().last("hello").token).toBe("fresh");
  });

  it("drops a socket that says no welcome in time and comes back with backoff", async () => {
    const scene = stage();
    await scene.clock.advance(0);
    scene.socket().open();
    await scene.clock.advance(10_000);
    expect(scene.client.state).toBe("waiting");
    expect(scene.socket().closedByClient).toBe(4100);
    await scene.clock.advance(1_500);
    expect(scene.sockets).toHaveLength(2);
  });

  it("puts channels asked for early into hello, and asks again for what hello did not answer", async () => {
    const scene = stage();
    scene.client.subscribe(CHANNEL);
    await scene.clock.advance(0);
    expect(scene.socket().open().last("hello").sub).toEqual([{ c: CHANNEL }]);
    scene.socket().say(welcome(), ready);
    expect(scene.socket().last("sub")).toMatchObject({ c: CHANNEL });
  });
});

describe("a subscription", () => {
  it("hands over each message once and in order", async () => {
    const scene = await subscribed(3);
    scene.socket().say(pub(CHANNEL, 3), pub(CHANNEL, 4), pub(CHANNEL, 4), pub(CHANNEL, 5));
    expect(scene.got).toEqual([
      { channel: CHANNEL, offset: 4, epoch: "e1", publisher: "bob", timestamp: 4, data: "m4" },
      { channel: CHANNEL, offset: 5, epoch: "e1", publisher: "bob", timestamp: 5, data: "m5" },
    ]);
    expect(scene.client.position(CHANNEL)).toEqual({ epoch: "e1", offset: 5 });
    expect(scene.client.counters.duplicatesDropped).toBe(2);
  });

  it("is an async iterable that ends with unsubscribe", async () => {
    const scene = await subscribed();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const message of scene.subscription) {
        seen.push(message.offset);
        if (message.offset === 2) scene.subscription.unsubscribe();
      }
    })();
    scene.socket().say(pub(CHANNEL, 1), pub(CHANNEL, 2), pub(CHANNEL, 3));
    await reading;
    expect(seen).toEqual([1, 2, 3]);
    expect(scene.socket().last("unsub").c).toBe(CHANNEL);
  });

  it("ends its loops with the client, with an error when the client gave up", async () => {
    for (const [code, error] of [
      [1006, undefined],
      [4002, "given-up"],
    ] as const) {
      const scene = await subscribed();
      const reading = (async () => {
        for await (const _ of scene.subscription) void _;
      })().then(
        () => undefined,
        (reason: { code: string }) => reason.code,
      );
      scene.socket().say(pub(CHANNEL, 1)).end(code);
      scene.client.close();
      expect(await reading).toBe(error);
    }
  });

  it("fills a hole from history without losing the order", async () => {
    const scene = await subscribed();
    scene.socket().say(pub(CHANNEL, 1), pub(CHANNEL, 4), pub(CHANNEL, 5));
    expect(scene.offsets()).toEqual([1]);
    const { i, from } = scene.socket().last("fetch");
    expect(from).toEqual({ epoch: "e1", offset: 1 });
    const items = [2, 3].map((o) => ({ t: "pub" as const, c: CHANNEL, o, p: "bob", ts: o, d: o }));
    scene.socket().say({ t: "page", i, c: CHANNEL, e: "e1", items, more: false });
    await scene.clock.advance(0);
    expect(scene.offsets()).toEqual([1, 2, 3, 4, 5]);
    expect(scene.gaps).toEqual([]);
  });

  it("tells a gap when history does not have the hole any more", async () => {
    const scene = await subscribed();
    scene.socket().say(pub(CHANNEL, 1), pub(CHANNEL, 4));
    scene.socket().say({ t: "page", i: scene.socket().last("fetch").i, c: CHANNEL, e: "e1", items: [], more: false });
    await scene.clock.advance(0);
    expect(scene.offsets()).toEqual([1, 4]);
    expect(scene.gaps).toEqual([{ channel: CHANNEL, epoch: "e1", from: 1, to: 3, why: "history-expired" }]);
  });

  it("surfaces gap and diverged of the server and goes on behind them", async () => {
    const scene = await subscribed();
    scene.socket().say(pub(CHANNEL, 1));
    scene.socket().say({ t: "gap", c: CHANNEL, e: "e1", from: 1, to: 6, why: "history-expired" }, pub(CHANNEL, 7));
    scene
      .socket()
      .say({ t: "diverged", c: CHANNEL, e: "e2", o: 5, prev: { epoch: "e1", offset: 5 } }, pub(CHANNEL, 6, "e2"));
    expect(scene.offsets()).toEqual([1, 7, 6]);
    expect(scene.got.at(-1)?.epoch).toBe("e2");
    expect(scene.gaps).toHaveLength(1);
    expect(scene.diverged).toEqual([
      { channel: CHANNEL, previous: { epoch: "e1", offset: 5 }, position: { epoch: "e2", offset: 5 } },
    ]);
  });

  it("publishes again what a new life does not have, also if nobody had seen it", async () => {
    const scene = await subscribed();
    const { client } = scene;
    scene.socket().say(pub(CHANNEL, 1));
    const stored = client.publish(CHANNEL, "mine");
    scene.socket().say({ t: "pub.ok", i: scene.socket().last("pub").i, e: "e1", o: 2 });
    await stored;
    scene.socket().say(pub(CHANNEL, 2, "e2"));
    expect(
      scene
        .socket()
        .all("pub")
        .map(({ s, d }) => [s, d]),
    ).toEqual([
      [1, "mine"],
      [1, "mine"],
    ]);
    expect([scene.offsets(), scene.diverged]).toEqual([[1, 2], []]);
  });

  it("is over when the server refuses it", async () => {
    const scene = await live();
    const refusals: unknown[] = [];
    const subscription = scene.client.subscribe(CHANNEL, { onError: (error) => void refusals.push(error.wireCode) });
    const waiting = subscription.subscribed().catch((error: unknown) => isClientError(error, "refused"));
    scene.socket().say({ t: "err", i: scene.socket().last("sub").i, code: "forbidden", message: "no" });
    expect(await waiting).toBe(true);
    expect(refusals).toEqual(["forbidden"]);
    expect(scene.client.position(CHANNEL)).toBeUndefined();
  });

  it("keeps delivering to others when a handler throws", async () => {
    const scene = await live();
    const errors: unknown[] = [];
    scene.client.on("handler-error", ({ error }) => void errors.push(error));
    scene.client.subscribe(CHANNEL, {
      onMessage: () => {
        throw new Error("of the application");
      },
    });
    scene.socket().say(subOk(CHANNEL, 0), pub(CHANNEL, 1), pub(CHANNEL, 2));
    expect(errors).toHaveLength(2);
    expect(scene.client.counters).toMatchObject({ received: 2, handlerErrors: 2 });
  });
});

describe("coming back", () => {
  it("resumes from what was handed over, and counts the dark time", async () => {
    const scene = await subscribed();
    scene.socket().say(pub(CHANNEL, 1), pub(CHANNEL, 2)).end(1006);
    expect(scene.client.state).toBe("waiting");
    await scene.clock.advance(1_500);
    const { resume, sub, ticket } = scene.socket().open().last("hello");
    expect(resume).toEqual({ session: "s1", secret: "secret", pos: [[CHANNEL, "e1", 2]] });
    expect([sub, ticket]).toEqual([undefined, undefined]);
    scene.socket().say(welcome({ resumed: true, g: 2, pod: POD.green }), subOk(CHANNEL, 4));
    scene.socket().say(pub(CHANNEL, 3), pub(CHANNEL, 4), ready, pub(CHANNEL, 5));
    expect(scene.offsets()).toEqual([1, 2, 3, 4, 5]);
    expect(scene.client.counters).toMatchObject({ disconnects: 1, resumes: 1, reconnects: 1, longestDarkMs: 1_500 });
    expect(scene.eventsOf("resumed")).toMatchObject([{ pod: POD.green, darkMs: 1_500 }]);
  });

  it("keeps its channels when the session was forgotten, and tells what was missed", async () => {
    const scene = await subscribed();
    scene.socket().say(pub(CHANNEL, 1)).end(1006);
    await scene.clock.advance(1_500);
    scene
      .socket()
      .open()
      .say(welcome({ session: "s2", secret: "other" }), subOk(CHANNEL, 9, { recovered: false }));
    scene.socket().say({ t: "gap", c: CHANNEL, e: "e1", from: 1, to: 7, why: "history-expired" });
    scene.socket().say(pub(CHANNEL, 8), pub(CHANNEL, 9), ready);
    expect(scene.offsets()).toEqual([1, 8, 9]);
    expect(scene.gaps).toMatchObject([{ from: 1, to: 7 }]);
    expect(scene.client.counters.newSessions).toBe(1);
    scene.socket().end(1006);
    await scene.clock.advance(20_000);
    expect(scene.socket().open().last("hello").resume).toMatchObject({ session: "s2", secret: "other" });
  });

  it("does not take another name that it got for a loss: what was acknowledged is not published again", async () => {
    const scene = await live();
    const first = scene.client.publish(CHANNEL, "a");
    scene.socket().say({ t: "pub.ok", i: scene.socket().last("pub").i, e: "e1", o: 1 });
    await first;
    scene.socket().end(1006);
    await scene.clock.advance(1_500);
    scene
      .socket()
      .open()
      .say(welcome({ session: "s2", user: "anon-2" }), ready);
    void scene.client.publish(CHANNEL, "b");
    expect(
      scene
        .socket()
        .all("pub")
        .map(({ s, d }) => [s, d]),
    ).toEqual([[1, "b"]]);
  });

  it("says a gap itself when the server owed one", async () => {
    const scene = await subscribed();
    scene.socket().end(1006);
    await scene.clock.advance(1_500);
    scene
      .socket()
      .open()
      .say(welcome({ session: "s2" }), subOk(CHANNEL, 9, { recovered: false }), pub(CHANNEL, 9), ready);
    expect(scene.gaps).toMatchObject([{ from: 0, to: 8, why: "history-expired" }]);
    expect(scene.offsets()).toEqual([9]);
  });

  it.each([
    ["a window of bye", 4200, { t: "bye", code: 4200, why: "drain", minMs: 4_000, maxMs: 8_000 } as const, 6_000],
    ["a window of pace after a break", 1006, { t: "pace", minMs: 100, maxMs: 200, forMs: 60_000 } as const, 150],
    ["no window when backoff is asked for", 4101, { t: "pace", minMs: 100, maxMs: 200, forMs: 60_000 } as const, 1_500],
  ])("obeys %s", async (_, code, frame, delayMs) => {
    const scene = await live();
    scene.socket().say(frame).end(code);
    expect(scene.eventsOf("waiting")).toMatchObject([{ delayMs }]);
  });

  it("begins backoff anew only after ten seconds of welcome", async () => {
    const scene = await live();
    scene.socket().end(1006);
    await scene.clock.advance(1_500);
    scene
      .socket()
      .open()
      .say(welcome({ resumed: true }), ready);
    await scene.clock.advance(9_000);
    scene.socket().end(1006);
    expect(scene.eventsOf("waiting").at(-1)?.attempt).toBe(1);
    await scene.clock.advance(2_000);
    scene
      .socket()
      .open()
      .say(welcome({ resumed: true }), ready);
    await scene.clock.advance(10_000);
    scene.socket().end(1006);
    expect(scene.eventsOf("waiting").at(-1)?.attempt).toBe(0);
  });

  it("comes back with a new session after a takeover, from where the application is", async () => {
    const scene = await subscribed();
    scene.socket().say(pub(CHANNEL, 1)).end(4210);
    await scene.clock.advance(3_000);
    const { resume, sub } = scene.socket().open().last("hello");
    expect([resume, sub]).toEqual([undefined, [{ c: CHANNEL, from: { epoch: "e1", offset: 1 } }]]);
  });

  it.each([4000, 4001, 4002, 1009, 1000])("gives up after close %i", async (code) => {
    const scene = await live();
    const late = scene.client.publish(CHANNEL, 1).catch((error: unknown) => isClientError(error, "given-up"));
    scene.socket().end(code);
    expect(scene.client.state).toBe("given-up");
    expect(await late).toBe(true);
    await scene.clock.advance(60_000);
    expect(scene.sockets).toHaveLength(1);
    expect(scene.clock.timers).toBe(0);
  });

  it("asks for a fresh token once when the server refuses the old one", async () => {
    let asked = 0;
    const scene = stage({ token: () => `t${(asked += 1)}` });
    await scene.clock.advance(0);
    scene.socket().open().end(4001);
    await scene.clock.advance(1_500);
    expect(scene.socket().open().last("hello").token).toBe("t2");
    scene.socket().end(4001);
    expect(scene.client.state).toBe("given-up");
  });

  it("gives up by policy", async () => {
    const scene = await live({ giveUp: { afterAttempts: 2 } });
    const { events, clock } = scene;
    for (let n = 0; n < 3; n += 1) {
      scene.socket().end(1006);
      await clock.advance(20_000);
    }
    expect(scene.client.state).toBe("given-up");
    expect(events.at(-1)).toMatchObject({ type: "given-up" });
    await expect(scene.client.ready()).rejects.toMatchObject({ code: "given-up" });
  });
});

describe("a dead path", () => {
  it("is asked after two and a half silent heartbeats and dropped without an answer", async () => {
    const scene = await live();
    await scene.clock.advance(49_999);
    expect(scene.socket().all("ping")).toHaveLength(0);
    await scene.clock.advance(1);
    expect(scene.socket().all("ping")).toHaveLength(1);
    await scene.clock.advance(5_000);
    expect(scene.client.state).toBe("waiting");
    expect(scene.client.counters.longestSilenceMs).toBe(55_000);
  });

  it("is none while pings of the server come, and they are answered", async () => {
    const scene = await live();
    for (let n = 0; n < 20; n += 1) {
      await scene.clock.advance(20_000);
      scene.socket().say({ t: "ping" });
    }
    expect(scene.client.state).toBe("live");
    expect(scene.socket().all("pong")).toHaveLength(20);
  });

  it("is asked at once when the page wakes up", async () => {
    const listeners = new Map<string, () => void>();
    const platform = {
      addEventListener: (type: string, run: () => void) => void listeners.set(type, run),
      removeEventListener: (type: string) => void listeners.delete(type),
    };
    const scene = await live({ platform });
    listeners.get("online")?.();
    expect(scene.socket().all("ping")).toHaveLength(1);
    await scene.clock.advance(5_000);
    expect(scene.client.state).toBe("waiting");
    listeners.get("online")?.();
    await scene.clock.advance(750);
    expect(scene.sockets).toHaveLength(2);
    scene.client.close();
    expect(listeners.size).toBe(0);
  });
});

describe("close", () => {
  it("ends everything with 1000 and leaves no timer", async () => {
    const scene = await subscribed();
    const open = scene.client.publish(CHANNEL, 1).catch((error: unknown) => isClientError(error, "closed"));
    scene.client.close();
    expect(scene.socket().closedByClient).toBe(1000);
    expect(await open).toBe(true);
    expect(scene.clock.timers).toBe(0);
    expect(() => scene.client.subscribe("other")).toThrow(/closed/);
    await expect(scene.client.publish(CHANNEL, 1)).rejects.toMatchObject({ code: "closed" });
  });

  it("follows an AbortSignal", async () => {
    const controller = new AbortController();
    const scene = await live({ signal: controller.signal });
    controller.abort();
    expect(scene.client.state).toBe("closed");
  });
});

describe("history", () => {
  it("reads on over pages and across a break", async () => {
    const scene = await live();
    const item = (o: number) => ({ t: "pub" as const, c: CHANNEL, o, p: "bob", ts: o, d: o });
    const reading = history(scene.client, CHANNEL, { epoch: "e1", offset: 0 }, 3);
    await scene.clock.advance(0);
    scene
      .socket()
      .say({ t: "page", i: scene.socket().last("fetch").i, c: CHANNEL, e: "e1", items: [item(1)], more: true });
    await scene.clock.advance(0);
    scene.socket().end(1006);
    await scene.clock.advance(3_000);
    scene
      .socket()
      .open()
      .say(welcome({ resumed: true }), ready);
    await scene.clock.advance(0);
    const fetch = scene.socket().last("fetch");
    expect(fetch).toMatchObject({ from: { epoch: "e1", offset: 1 }, n: 2 });
    scene.socket().say({ t: "page", i: fetch.i, c: CHANNEL, e: "e1", items: [item(2), item(3)], more: true });
    const page = await reading;
    expect(page.messages.map((message) => message.offset)).toEqual([1, 2, 3]);
    expect(page.more).toBe(true);
  });
});
