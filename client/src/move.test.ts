import { describe, expect, it } from "vitest";
import type { Message } from "./subscription.ts";
import { migrate, POD, pub, ready, stage, subOk, welcome } from "./testing/scripted-server.ts";

const CHANNEL = "room";
const prepared = (g = 1) => welcome({ prepared: true, resumed: true, g, pod: POD.green });

/** A live client with one channel, read up to offset 2. */
async function atHome() {
  const scene = stage({ token: "jwt" });
  await scene.clock.advance(0);
  const old = scene.socket().open().say(welcome(), ready);
  const got: Message[] = [];
  const gaps: unknown[] = [];
  scene.client.subscribe(CHANNEL, {
    onMessage: (message) => void got.push(message),
    onGap: (gap) => void gaps.push(gap),
  });
  old.say(subOk(CHANNEL, 0, { i: old.last("sub").i }), pub(CHANNEL, 1), pub(CHANNEL, 2));
  return { ...scene, old, got, gaps, offsets: () => got.map((message) => message.offset) };
}

/** The same, with the second socket prepared and every replay on it done. */
async function nearlyMoved() {
  const scene = await atHome();
  scene.old.say(migrate());
  const next = scene.socket().open().say(prepared(), subOk(CHANNEL, 2));
  return { ...scene, next };
}

const committed = (socket: ReturnType<Awaited<ReturnType<typeof nearlyMoved>>["socket"]>, g = 2) =>
  socket.say({ t: "commit.ok", i: socket.last("commit").i, g });

describe("a move", () => {
  it("prepares a second socket at the named pod, with positions and the ticket", async () => {
    const { old, socket, client } = await atHome();
    old.say(migrate());
    const next = socket();
    expect(next.url.href).toBe(`ws://cluster.test/ws?pod=${POD.green}&ticket=T`);
    expect(next.open().last("hello")).toEqual({
      t: "hello",
      instance: expect.stringMatching(/^\w{16}$/),
      producer: { id: "p1", gen: 1 },
      caps: ["migrate", "resume"],
      resume: { session: "s1", secret: "secret", pos: [[CHANNEL, "e1", 2]] },
      ticket: "T",
      prepare: true,
    });
    expect(client.state).toBe("live");
  });

  it("uses another URL when the server names one", async () => {
    const { old, socket } = await atHome();
    old.say(migrate({ url: "wss://else.test/x?a=1" }));
    expect(socket().url.href).toBe(`wss://else.test/x?a=1&pod=${POD.green}&ticket=T`);
  });

  it("merges both sockets: each message once, whichever brings it first", async () => {
    const { old, next, offsets } = await nearlyMoved();
    next.say(pub(CHANNEL, 3));
    old.say(pub(CHANNEL, 3), pub(CHANNEL, 4));
    next.say(pub(CHANNEL, 4), pub(CHANNEL, 5));
    old.say(pub(CHANNEL, 5));
    expect(offsets()).toEqual([1, 2, 3, 4, 5]);
  });

  it("commits only when the new socket is ready and at or past the application", async () => {
    const { old, next } = await nearlyMoved();
    old.say(pub(CHANNEL, 3), pub(CHANNEL, 4));
    next.say(pub(CHANNEL, 3));
    expect(next.all("commit")).toHaveLength(0);
    next.say(ready);
    expect(next.all("commit")).toHaveLength(0);
    next.say(pub(CHANNEL, 4));
    expect(next.all("commit")).toHaveLength(1);
  });

  it("leaves the old socket itself, after the commit, and was never away", async () => {
    const { next, old, client, eventsOf, events, clock } = await nearlyMoved();
    next.say(ready);
    expect(old.closedByClient).toBeUndefined();
    await clock.advance(7);
    committed(next);
    expect(old.closedByClient).toBe(1000);
    expect([client.state, client.pod]).toEqual(["live", POD.green]);
    expect(client.counters).toMatchObject({ moves: 1, resumes: 0, reconnects: 0, disconnects: 0, longestDarkMs: 7 });
    expect(eventsOf("committed")).toMatchObject([{ id: "m1", pod: POD.green, generation: 2, heldMs: 7 }]);
    const order = events.map((event) => event.type).filter((type) => type !== "state");
    expect(order.slice(order.indexOf("migrate-start"))).toEqual([
      "migrate-start",
      "connecting",
      "welcome",
      "prepared",
      "committed",
      "socket-closed",
      "moved",
    ]);
    expect(eventsOf("socket-closed")).toMatchObject([{ byClient: true, role: "leaving", pod: POD.blue }]);
  });

  it("goes on receiving on the new socket, and writes there", async () => {
    const { next, old, client, offsets } = await nearlyMoved();
    next.say(ready);
    committed(next).say(pub(CHANNEL, 3));
    void client.publish(CHANNEL, "x");
    expect(old.all("pub")).toHaveLength(0);
    expect(next.last("pub")).toMatchObject({ s: 1, d: "x" });
    expect(offsets()).toEqual([1, 2, 3]);
  });

  it("writes on the old socket until the commit, holds them during it, and awaits answers on the old one", async () => {
    const { next, old, client, clock } = await nearlyMoved();
    const first = client.publish(CHANNEL, "first");
    expect(old.last("pub").s).toBe(1);
    next.say(ready);
    const second = client.publish(CHANNEL, "second");
    const other = client.publish("other", "third");
    expect([old.all("pub").length, next.all("pub").length]).toEqual([1, 0]);
    committed(next);
    // The other stream owes nothing on the old socket and goes at once; this one waits for its answer.
    expect(next.all("pub")).toMatchObject([{ c: "other", s: 1 }]);
    expect(old.closedByClient).toBeUndefined();
    old.say({ t: "pub.ok", i: old.last("pub").i, e: "e1", o: 3 });
    expect(await first).toEqual({ epoch: "e1", offset: 3, dup: false });
    expect(next.last("pub")).toMatchObject({ c: CHANNEL, s: 2, d: "second" });
    expect(old.closedByClient).toBe(1000);
    for (const { i } of next.all("pub")) next.say({ t: "pub.ok", i, e: "e1", o: 4 });
    await Promise.all([second, other]);
    await clock.advance(0);
  });

  it("sends unanswered messages again when the old socket ends, in order", async () => {
    const { next, old, client } = await nearlyMoved();
    const first = client.publish(CHANNEL, "a");
    next.say(ready);
    void client.publish(CHANNEL, "b");
    committed(next);
    old.end(4210);
    expect(next.all("pub").map(({ s, d }) => [s, d])).toEqual([
      [1, "a"],
      [2, "b"],
    ]);
    next.say({ t: "pub.ok", i: next.all("pub")[0]?.i ?? 0, e: "e1", o: 3, dup: true });
    expect(await first).toEqual({ epoch: "e1", offset: 3, dup: true });
    expect(client.counters).toMatchObject({ moves: 1, disconnects: 0 });
  });

  it("leaves the old socket after ten seconds even if answers never come", async () => {
    const { next, old, client, clock } = await nearlyMoved();
    void client.publish(CHANNEL, "a");
    next.say(ready);
    committed(next);
    await clock.advance(9_999);
    expect(old.closedByClient).toBeUndefined();
    await clock.advance(1);
    expect(old.closedByClient).toBe(1000);
    expect(next.last("pub")).toMatchObject({ s: 1 });
  });

  it("takes ephemerals from the old socket until the commit, then from the new, and none in between", async () => {
    const scene = await atHome();
    const heard: unknown[] = [];
    scene.client.subscribe("e", { onEphemeral: ({ data }) => void heard.push(data) });
    scene.old.say(subOk("e", 0, { i: scene.old.last("sub").i }), migrate());
    const next = scene.socket().open().say(prepared(), subOk(CHANNEL, 2), subOk("e", 0));
    const both = (d: number) => {
      for (const socket of [scene.old, next]) socket.say({ t: "pub.ephemeral", c: "e", p: "bob", d });
    };
    both(1);
    expect(scene.client.publishEphemeral("e", "mine")).toBe(true);
    next.say(ready);
    both(2);
    expect(scene.client.publishEphemeral("e", "mine")).toBe(false);
    committed(next);
    next.say({ t: "pub.ephemeral", c: "e", p: "bob", d: 3 });
    expect(heard).toEqual([1, 3]);
    expect(scene.old.all("pub.ephemeral")).toHaveLength(1);
  });

  it("carries subscriptions of its own time over: the new pod is asked after the commit", async () => {
    const { next, old, client } = await nearlyMoved();
    const late: number[] = [];
    client.subscribe("late", { onMessage: ({ offset }) => void late.push(offset) });
    old.say(subOk("late", 5, { i: old.last("sub").i }), pub("late", 6));
    next.say(ready);
    committed(next);
    expect(next.last("sub")).toMatchObject({ c: "late", from: { epoch: "e1", offset: 6 } });
    expect(old.closedByClient).toBeUndefined();
    next.say(subOk("late", 7, { i: next.last("sub").i }), pub("late", 7));
    expect(late).toEqual([6, 7]);
    expect(old.closedByClient).toBe(1000);
  });

  it("tells the new pod what was unsubscribed meanwhile", async () => {
    const { next, old, client } = await nearlyMoved();
    client.subscribe("gone").unsubscribe();
    const subscription = client.subscribe("brief");
    old.say(subOk("brief", 0, { i: old.last("sub").i }));
    next.say(subOk("brief", 0));
    subscription.unsubscribe();
    next.say(ready);
    committed(next);
    expect(next.last("unsub").c).toBe("brief");
  });

  it("takes no gap from the new socket that the old one can still fill", async () => {
    const { next, old, offsets, gaps } = await nearlyMoved();
    next.say({ t: "gap", c: CHANNEL, e: "e1", from: 2, to: 4, why: "history-expired" }, pub(CHANNEL, 5));
    old.say(pub(CHANNEL, 3), pub(CHANNEL, 4));
    expect(offsets()).toEqual([1, 2, 3, 4, 5]);
    expect(gaps).toEqual([]);
  });
});

describe("a move that fails leaves the old socket in use", () => {
  const stays = (scene: Awaited<ReturnType<typeof atHome>>, why: string) => {
    expect(scene.old.last("migrate.fail")).toEqual({ t: "migrate.fail", id: "m1", why });
    expect(scene.old.closedByClient).toBeUndefined();
    expect(scene.client.counters).toMatchObject({ moves: 0, movesFailed: 1, disconnects: 0 });
    scene.old.say(pub(CHANNEL, 3));
    expect(scene.offsets()).toEqual([1, 2, 3]);
    void scene.client.publish(CHANNEL, "x");
    expect(scene.old.last("pub").d).toBe("x");
  };

  it("when the second socket cannot be opened", async () => {
    const scene = await atHome();
    scene.old.say(migrate());
    scene.socket().end(1006);
    stays(scene, "connect-failed");
  });

  it("when the target answers nothing in time", async () => {
    const scene = await atHome();
    scene.old.say(migrate({ deadlineMs: 5_000 }));
    scene.socket().open();
    await scene.clock.advance(4_500);
    expect(scene.socket().closedByClient).toBe(1000);
    stays(scene, "timeout");
  });

  it("when the target makes a new session instead of preparing this one", async () => {
    const scene = await atHome();
    scene.old.say(migrate());
    scene
      .socket()
      .open()
      .say(welcome({ session: "s9", secret: "other" }));
    stays(scene, "not-prepared");
  });

  it("when the target closes while it prepares", async () => {
    const scene = await nearlyMoved();
    scene.next.end(4210);
    stays(scene, "not-prepared");
  });

  it("when the commit is refused, and held writes go out on the old socket", async () => {
    const scene = await nearlyMoved();
    scene.next.say(ready);
    const held = scene.client.publish("other", "held");
    scene.next.say({ t: "err", i: scene.next.last("commit").i, code: "commit-refused", message: "late" });
    const { i, d } = scene.old.last("pub");
    expect(d).toBe("held");
    scene.old.say({ t: "pub.ok", i, e: "e1", o: 1 });
    await held;
    stays(scene, "commit-refused");
  });
});

describe("a move under fire", () => {
  it("resumes at the target with the ticket when the old socket dies before anything is prepared", async () => {
    const { old, socket, sockets, client, clock, offsets } = await atHome();
    old.say(migrate());
    old.end(1006);
    expect(sockets[1]?.closedByClient).toBe(1000);
    await clock.advance(0);
    const next = socket();
    expect(next.url.searchParams.get("pod")).toBe(POD.green);
    expect(next.open().last("hello")).toMatchObject({
      token: "jwt",
      ticket: "T",
      resume: { pos: [[CHANNEL, "e1", 2]] },
    });
    expect(next.last("hello").prepare).toBeUndefined();
    next.say(welcome({ resumed: true, g: 2, pod: POD.green }), subOk(CHANNEL, 3), pub(CHANNEL, 3), ready);
    expect(offsets()).toEqual([1, 2, 3]);
    expect(client.counters).toMatchObject({ moves: 0, resumes: 1, movesFailed: 1 });
  });

  it("goes to any pod, with the ticket still counted, when the target is not there either", async () => {
    const { old, socket, clock } = await atHome();
    old.say(migrate());
    old.end(1006);
    await clock.advance(0);
    socket().end(1006);
    await clock.advance(20_000);
    expect(socket().url.search).toBe("");
    expect(socket().open().last("hello").ticket).toBe("T");
    socket()
      .say(welcome({ resumed: true, g: 2 }), ready)
      .end(1006);
    await clock.advance(20_000);
    expect(socket().open().last("hello").ticket).toBeUndefined();
  });

  it("commits at once when the old socket dies after the preparation, and nobody notices", async () => {
    const { old, next, client, clock, offsets } = await nearlyMoved();
    old.say(pub(CHANNEL, 3));
    old.end(1006);
    expect(client.state).toBe("restoring");
    await clock.advance(3);
    committed(next).say(pub(CHANNEL, 3), pub(CHANNEL, 4), ready);
    expect(client.state).toBe("live");
    expect(offsets()).toEqual([1, 2, 3, 4]);
    expect(client.counters).toMatchObject({ moves: 1, disconnects: 0, resumes: 0, longestDarkMs: 3 });
  });

  it("resumes plainly when both sockets die", async () => {
    const { old, next, client, clock, socket, offsets } = await nearlyMoved();
    old.end(1006);
    next.end(1006);
    expect(client.state).toBe("waiting");
    await clock.advance(0);
    expect(socket().url.search).toBe("");
    socket()
      .open()
      .say(welcome({ resumed: true, g: 2 }), subOk(CHANNEL, 3), pub(CHANNEL, 3), ready);
    expect(offsets()).toEqual([1, 2, 3]);
    expect(client.state).toBe("live");
  });

  it("resumes plainly when the commit is not answered, for the session may be on either pod", async () => {
    const { old, next, client, clock, socket, sockets } = await nearlyMoved();
    next.say(ready);
    void client.publish(CHANNEL, "held");
    next.end(1006);
    expect(old.closedByClient).toBe(4100);
    await clock.advance(0);
    expect(sockets).toHaveLength(3);
    expect(socket().open().last("hello")).toMatchObject({ ticket: "T", resume: { session: "s1" } });
    socket().say(welcome({ resumed: true, g: 3 }), subOk(CHANNEL, 2), ready);
    expect(socket().last("pub")).toMatchObject({ s: 1, d: "held" });
  });

  it("asks for the commit again while the store does not know", async () => {
    const { next, client, clock } = await nearlyMoved();
    next.say(ready);
    next.say({ t: "err", i: next.last("commit").i, code: "unavailable", message: "" });
    await clock.advance(250);
    expect(next.all("commit")).toHaveLength(2);
    committed(next);
    expect(client.counters.moves).toBe(1);
  });

  it("ignores 4210 and late migrates of a socket that it is leaving", async () => {
    const { old, next, client, sockets } = await nearlyMoved();
    void client.publish(CHANNEL, "a");
    next.say(ready);
    committed(next);
    old.say(migrate({ id: "m2" }));
    old.end(4210);
    expect(client.state).toBe("live");
    expect(sockets).toHaveLength(2);
  });

  it("replaces a move by the next one", async () => {
    const { old, next, socket, sockets, eventsOf } = await nearlyMoved();
    old.say(migrate({ id: "m2", pod: "cccccccccccccccc", ticket: "T2" }));
    expect(next.closedByClient).toBe(1000);
    expect(eventsOf("migrate-failed")).toMatchObject([{ id: "m1", why: "replaced" }]);
    expect(old.all("migrate.fail")).toHaveLength(0);
    const third = socket().open();
    expect(third.last("hello").ticket).toBe("T2");
    third.say(prepared(), subOk(CHANNEL, 2), ready);
    committed(third);
    expect(old.closedByClient).toBe(1000);
    expect(sockets).toHaveLength(3);
  });

  it("begins the next move from the new pod once the last one is settled", async () => {
    const { old, next, client, socket, sockets } = await nearlyMoved();
    const open = client.publish(CHANNEL, "a");
    next.say(ready);
    committed(next);
    next.say(migrate({ id: "m2", ticket: "T2" }));
    expect(sockets).toHaveLength(2);
    old.say({ t: "pub.ok", i: old.last("pub").i, e: "e1", o: 3 });
    await open;
    expect(socket().open().last("hello").ticket).toBe("T2");
  });

  it("closes both sockets with the client", async () => {
    const { old, next, client, clock } = await nearlyMoved();
    client.close();
    expect([old.closedByClient, next.closedByClient]).toEqual([1000, 1000]);
    expect(clock.timers).toBe(0);
  });
});
