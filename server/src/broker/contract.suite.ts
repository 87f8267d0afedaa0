// What every broker must do, as tests that run on each of them. Not here: what only one of them can show (memory.test.ts, redis.integration.test.ts).

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { continuationOf } from "../streams/continuation.ts";
import type { PresenceEvent } from "./presence-port.ts";
import type { Broker, BrokerListener, ControlMessage, HeldStreams, PodLease, Publication, SessionRow } from "./port.ts";

export type BrokerStage = {
  /** Brokers of two pods on one store, not started. */
  readonly brokers: readonly [Broker, Broker];
  /** A failover to a replica that has everything up to now and nothing of what `lost` does. */
  failOver(lost: () => Promise<void>): Promise<void>;
  /** The store stops answering, and answers again. */
  freeze(): void;
  wake(): void;
  close(): Promise<void>;
};

type Heard = {
  readonly publications: Publication[];
  readonly ephemerals: string[];
  readonly controls: ControlMessage[];
  readonly presences: PresenceEvent[];
  resyncs: number;
};

function listenerFor(heard: Heard): BrokerListener {
  return {
    publication: (publication) => void heard.publications.push(publication),
    ephemeral: (stream, user, data) => void heard.ephemerals.push(`${stream} ${user} ${data.toString()}`),
    control: (message) => void heard.controls.push(message),
    presence: (event) => void heard.presences.push(event),
    resync: () => void (heard.resyncs += 1),
  };
}

const lease = (key: string): PodLease => ({
  key,
  mode: "active",
  sealed: false,
  terminating: false,
  gone: false,
  capacity: 10,
  connections: 1,
});

const row = (id: string): SessionRow => ({
  id,
  tenant: "t",
  user: "ann",
  device: "d",
  g: 1,
  owner: "pod-a",
  digest: "x",
  channels: ["one"],
});

const receipt = { intent: "rollout/r/1", source: "pod-a" };

export function describeBroker(name: string, open: () => Promise<BrokerStage>): void {
  describe(`the contract, kept by ${name}`, () => {
    let stage: BrokerStage;
    let a: Broker;
    let b: Broker;
    let heardA: Heard;
    let heardB: Heard;

    beforeEach(async () => {
      stage = await open();
      [a, b] = stage.brokers;
      heardA = { publications: [], ephemerals: [], controls: [], presences: [], resyncs: 0 };
      heardB = { publications: [], ephemerals: [], controls: [], presences: [], resyncs: 0 };
      await a.start(listenerFor(heardA));
      await b.start(listenerFor(heardB));
      await a.beat(lease("pod-a"));
      await b.beat(lease("pod-b"));
    });
    afterEach(async () => {
      await Promise.all([a.stop(), b.stop()]);
      await stage.close();
    });

    const publish = (broker: Broker, seq: number, data = String(seq), gen = 1, producer = "t/ann/p") =>
      broker.publish({ stream: "t/room", producer, gen, seq, user: "ann", data });

    describe("publishing", () => {
      it("numbers from 1, keeps the bytes, and is heard by every pod that subscribed", async () => {
        await a.subscribe("t/room");
        await b.subscribe("t/room");
        const first = await publish(a, 1, '{"x": 1.0, "é":"\\n"}');
        const second = await publish(b, 2, "null");
        expect(first).toMatchObject({ kind: "stored", offset: 1 });
        expect(second).toMatchObject({ kind: "stored", offset: 2 });
        await expect.poll(() => [heardA.publications.length, heardB.publications.length]).toEqual([2, 2]);
        const [one, two] = heardB.publications;
        expect(one).toMatchObject({ stream: "t/room", offset: 1, user: "ann", prev: { epoch: "", offset: 0 } });
        expect(one?.data.toString()).toBe('{"x": 1.0, "é":"\\n"}');
        expect(two?.prev).toBeUndefined();
        expect(two?.ts).toBeGreaterThanOrEqual(one?.ts ?? Infinity);
        const page = await b.read("t/room", 0, 10);
        expect(page.items.map(({ data, ...rest }) => ({ ...rest, data: data.toString() }))).toEqual(
          heardA.publications.map(({ data, ...rest }) => ({ ...rest, data: data.toString() })),
        );
      });

      it("keeps the order of calls that do not wait for each other", async () => {
        const results = await Promise.all(Array.from({ length: 300 }, (_, n) => publish(a, n + 1)));
        expect(results.map((result) => (result.kind === "stored" ? result.offset : result.kind))).toEqual(
          Array.from({ length: 300 }, (_, n) => n + 1),
        );
      });

      it("answers a repeated seq with its first position, an older one with 0", async () => {
        await publish(a, 1);
        await publish(a, 2);
        expect(await publish(b, 2)).toMatchObject({ kind: "dup", offset: 2 });
        expect(await publish(b, 1)).toMatchObject({ kind: "dup", offset: 0 });
        expect((await a.read("t/room", 0, 10)).items).toHaveLength(2);
      });

      it("refuses a seq after a missing one and says which was the last", async () => {
        await publish(a, 1);
        expect(await publish(a, 3)).toEqual({ kind: "out-of-order", last: 1 });
        expect(await publish(a, 2, "2", 2)).toEqual({ kind: "out-of-order", last: 0 });
        expect((await a.read("t/room", 0, 10)).items).toHaveLength(1);
      });

      it("fences a lower generation and starts at 1 with a higher one", async () => {
        await publish(a, 1);
        expect(await publish(a, 1, "new", 2)).toMatchObject({ kind: "stored", offset: 2 });
        expect(await publish(a, 2, "old", 1)).toEqual({ kind: "fenced" });
      });

      it("counts producers apart, also those of one user", async () => {
        await publish(a, 1);
        expect(await publish(a, 1, "x", 1, "t/ann/q")).toMatchObject({ kind: "stored", offset: 2 });
      });
    });

    it("stores what comes again under the same key once, whoever brings it, and bounds nothing else", async () => {
      const once = (broker: Broker, key: string, stream = "t/room") =>
        broker.publish({ stream, key, user: "api", data: JSON.stringify(key) });
      const first = await once(a, "k1");
      expect(first).toMatchObject({ kind: "stored", offset: 1 });
      expect(await once(b, "k1")).toEqual({ ...first, kind: "dup" });
      expect(await once(b, "k2")).toMatchObject({ kind: "stored", offset: 2 });
      expect(await once(b, "k1", "t/other")).toMatchObject({ kind: "stored", offset: 1 });
      expect(await publish(a, 1)).toMatchObject({ kind: "stored", offset: 3 });
    });

    it("takes holes in the numbers of a producer that has them, and no number twice", async () => {
      const from = (seq: number) =>
        a.publish({ stream: "t/room", producer: "t/~kafka/0", gen: 1, seq, gaps: true, user: "k", data: `${seq}` });
      expect((await Promise.all([1, 5, 9].map(from))).map(({ kind }) => kind)).toEqual(["stored", "stored", "stored"]);
      expect((await Promise.all([5, 9, 10].map(from))).map(({ kind }) => kind)).toEqual(["dup", "dup", "stored"]);
    });

    it("delivers an ephemeral message and stores nothing", async () => {
      await b.subscribe("t/room");
      a.publishEphemeral("t/room", "ann", '{"typing":true}');
      await expect.poll(() => heardB.ephemerals).toEqual(['t/room ann {"typing":true}']);
      expect((await a.read("t/room", 0, 10)).items).toEqual([]);
    });

    it("reads pages after an offset", async () => {
      for (let seq = 1; seq <= 5; seq += 1) await publish(a, seq);
      const page = await b.read("t/room", 2, 2);
      expect(page.items.map(({ offset }) => offset)).toEqual([3, 4]);
      expect(page.top.top).toBe(5);
      expect(page.top.epoch).toBe(page.items[0]?.epoch);
    });

    it("gives an unused stream a life, the same to everybody", async () => {
      const [one, two] = [await a.read("t/new", 0, 1), await b.read("t/new", 0, 1)];
      expect(one.top).toMatchObject({ top: 0, lives: [] });
      expect(one.top.epoch).toBe(two.top.epoch);
      expect(one.top.epoch).not.toBe("");
    });

    it("finds the held streams that moved without being heard", async () => {
      await publish(a, 1);
      const { top } = await a.read("t/room", 0, 1);
      let known = 1;
      const held: HeldStreams = {
        streams: () => ["t/room", "t/quiet"],
        positionOf: (stream) =>
          stream === "t/room" ? { epoch: top.epoch, offset: known } : { epoch: quiet.epoch, offset: 0 },
      };
      const quiet = (await b.read("t/quiet", 0, 1)).top;
      await b.subscribe("t/room");
      await b.subscribe("t/quiet");
      expect(await b.changed(held)).toEqual([]);
      await publish(a, 2);
      expect(await b.changed(held)).toEqual(["t/room"]);
      known = 2;
      expect(await b.changed(held)).toEqual([]);
      known = 1;
      expect(await b.moved(held)).toEqual(["t/room"]);
    });

    describe("a new life", () => {
      it("goes on for everybody when nothing was lost", async () => {
        await publish(a, 1);
        const stored = await publish(a, 2);
        if (stored.kind !== "stored") throw new Error("expected stored");
        await stage.failOver(async () => {});
        const next = await publish(a, 3);
        if (next.kind !== "stored") throw new Error("expected stored");
        expect(next.offset).toBe(3);
        expect(next.epoch).not.toBe(stored.epoch);
        const { top, items } = await b.read("t/room", 1, 10);
        expect(top.lives).toEqual([[stored.epoch, 2]]);
        expect(items.map((item) => [item.offset, item.prev])).toEqual([
          [2, undefined],
          [3, { epoch: stored.epoch, offset: 2 }],
        ]);
        expect(continuationOf({ epoch: stored.epoch, offset: 2 }, top)).toEqual({ kind: "continue", after: 2 });
      });

      it("tells what was lost, already to the first reader", async () => {
        const stored = await publish(a, 1);
        if (stored.kind !== "stored") throw new Error("expected stored");
        await stage.failOver(async () => {
          expect(await publish(a, 2)).toMatchObject({ offset: 2 });
          expect(await publish(a, 3)).toMatchObject({ offset: 3 });
        });
        const { top } = await b.read("t/room", 0, 10);
        expect(top).toMatchObject({ top: 1, lives: [[stored.epoch, 1]] });
        expect(continuationOf({ epoch: stored.epoch, offset: 3 }, top)).toEqual({
          kind: "diverged",
          prev: { epoch: stored.epoch, offset: 1 },
          next: top.epoch,
        });
        // The producer's memory was lost with the messages, so it is asked for them again.
        expect(await publish(a, 4)).toEqual({ kind: "out-of-order", last: 1 });
        expect(await publish(a, 2, "again")).toMatchObject({ kind: "stored", offset: 2, epoch: top.epoch });
      });

      it("remembers the last eight", async () => {
        const epochs: string[] = [];
        for (let seq = 1; seq <= 10; seq += 1) {
          const result = await publish(a, seq);
          if (result.kind === "stored") epochs.push(result.epoch);
          await stage.failOver(async () => {});
        }
        const { top } = await a.read("t/room", 0, 1);
        expect(new Set(epochs).size).toBe(10);
        expect(top.lives).toEqual(epochs.map((epoch, index) => [epoch, index + 1]).slice(-8));
      }, 60_000);
    });

    describe("sessions", () => {
      it("come back as they were written, with the owner's silence", async () => {
        await a.createSession(row("s1"));
        const loaded = await b.loadSession("s1");
        expect(loaded?.row).toEqual(row("s1"));
        expect(loaded?.ownerSilentMs).toBeLessThan(5_000);
        expect(await b.loadSession("s2")).toBeUndefined();
      });

      it("are found by their user, on whatever pod, until they end", async () => {
        const ids = async () => (await b.sessionsOf("t", "u")).map(({ row: { id, owner } }) => [id, owner]);
        const owned = { ...row("s1"), tenant: "t", user: "u" };
        expect(await ids()).toEqual([]);
        await a.createSession(owned);
        await a.createSession({ ...owned, id: "s2", owner: "pod-b" });
        await a.createSession({ ...owned, id: "s3", user: "other" });
        expect(new Set(await ids())).toEqual(
          new Set([
            ["s1", owned.owner],
            ["s2", "pod-b"],
          ]),
        );
        await b.takeOver("s1", 1, "pod-c");
        expect(await ids()).toContainEqual(["s1", "pod-c"]);
        expect(await a.endSession("s1", 1)).toBe(false);
        expect(await a.endSession("s1", 2)).toBe(true);
        await expect.poll(ids).toEqual([["s2", "pod-b"]]);
      });

      it("change channels only in their present generation", async () => {
        await a.createSession(row("s1"));
        expect(await a.changeChannels("s1", 1, ["two", "c:odd"], ["one"])).toBe(true);
        expect(await a.changeChannels("s1", 2, ["three"], [])).toBe(false);
        expect(new Set((await b.loadSession("s1"))?.row.channels)).toEqual(new Set(["two", "c:odd"]));
      });

      it("are taken over once per generation; the former owner hears of it", async () => {
        await a.createSession(row("s1"));
        const both = await Promise.all([b.takeOver("s1", 1, "pod-b", receipt), b.takeOver("s1", 1, "pod-b", receipt)]);
        expect(both.filter((g) => g !== undefined)).toEqual([2]);
        expect((await a.loadSession("s1"))?.row).toMatchObject({ g: 2, owner: "pod-b" });
        await expect.poll(() => heardA.controls).toMatchObject([{ kind: "taken", session: "s1", g: 2, pod: "pod-b" }]);
        expect((await a.receipts())["rollout/r/1"]).toMatchObject({ resumed: 1 });
        expect(await a.changeChannels("s1", 1, ["late"], [])).toBe(false);
      });

      it("carry notes, also through a move, changed only in their present generation", async () => {
        await a.createSession({ ...row("s1"), notes: { born: "1" } });
        expect(await a.note("s1", 1, "state", '{"x":1}')).toBe(true);
        expect(await a.note("s1", 1, "born", undefined)).toBe(true);
        expect(await a.note("s1", 2, "late", "1")).toBe(false);
        await b.prepare("s1", 1, "pod-b", 5_000);
        expect(await a.note("s1", 1, "meanwhile", "2")).toBe(true);
        const notes = { state: '{"x":1}', meanwhile: "2" };
        expect((await b.commit("s1", 1, "pod-b", "m1", receipt))?.notes).toEqual(notes);
        expect((await a.loadSession("s1"))?.row).toEqual({ ...row("s1"), g: 2, owner: "pod-b", notes });
        for (const name of Object.keys(notes)) await b.note("s1", 2, name, undefined);
        expect((await a.loadSession("s1"))?.row.notes).toBeUndefined();
      });

      it("keep the instance of the client that took them over last", async () => {
        await a.createSession({ ...row("s1"), instance: "one" });
        expect((await b.loadSession("s1"))?.row.instance).toBe("one");
        await b.takeOver("s1", 1, "pod-b", undefined, "two");
        expect((await a.loadSession("s1"))?.row).toEqual({ ...row("s1"), g: 2, owner: "pod-b", instance: "two" });
        await b.takeOver("s1", 2, "pod-b");
        expect((await a.loadSession("s1"))?.row.instance).toBe("two");
      });

      it("move in two phases, counted once however often commit is asked", async () => {
        await a.createSession(row("s1"));
        expect(await b.prepare("s1", 1, "pod-b", 5_000)).toBe(true);
        expect((await a.loadSession("s1"))?.row).toMatchObject({ g: 1, owner: "pod-a" });
        // What the source changed meanwhile is told to the target.
        expect(await a.changeChannels("s1", 1, ["two"], ["one"])).toBe(true);
        expect(await b.commit("s1", 1, "pod-b", "m1", receipt)).toEqual({
          ...row("s1"),
          g: 2,
          owner: "pod-b",
          channels: ["two"],
        });
        expect(await b.commit("s1", 1, "pod-b", "m1", receipt)).toEqual({
          ...row("s1"),
          g: 2,
          owner: "pod-b",
          channels: ["two"],
        });
        expect(await b.commit("s1", 1, "pod-b", "m2", receipt)).toBeUndefined();
        expect((await a.loadSession("s1"))?.row).toMatchObject({ g: 2, owner: "pod-b", channels: ["two"] });
        await expect.poll(() => heardA.controls).toMatchObject([{ kind: "moved", session: "s1", g: 2, pod: "pod-b" }]);
        expect((await a.receipts())["rollout/r/1"]).toMatchObject({ moved: 1, resumed: 0 });
      });

      it("refuse a commit that nothing waits for, and change nothing", async () => {
        await a.createSession(row("s1"));
        expect(await b.commit("s1", 1, "pod-b", "m1", receipt)).toBeUndefined();
        // One that is over as soon as it is written.
        expect(await b.prepare("s1", 1, "pod-b", -1)).toBe(true);
        expect(await b.commit("s1", 1, "pod-b", "m1", receipt)).toBeUndefined();
        await b.prepare("s1", 1, "pod-b", 5_000);
        // Asked again for another target: the first one has lost its place.
        await a.prepare("s1", 1, "pod-c", 5_000);
        expect(await b.commit("s1", 1, "pod-b", "m1", receipt)).toBeUndefined();
        await a.takeOver("s1", 1, "pod-a");
        expect(await b.commit("s1", 1, "pod-c", "m1", receipt)).toBeUndefined();
        expect(await b.prepare("s1", 1, "pod-b", 5_000)).toBe(false);
        expect((await a.loadSession("s1"))?.row).toMatchObject({ g: 2, owner: "pod-a" });
        expect((await a.receipts())["rollout/r/1"]).toBeUndefined();
      });

      it("end only in their present generation", async () => {
        await a.createSession(row("s1"));
        expect(await a.endSession("s1", 7)).toBe(false);
        expect(await a.endSession("s1", 1)).toBe(true);
        expect(await a.loadSession("s1")).toBeUndefined();
      });
    });

    it("sums receipts over sources and counts on", async () => {
      await a.countReceipts([
        { ...receipt, outcome: "offered", count: 2 },
        { ...receipt, outcome: "late", count: 1 },
      ]);
      await b.countReceipts([{ ...receipt, source: "pod-b", outcome: "offered", count: 3 }]);
      expect(await a.receipts()).toMatchObject({ "rollout/r/1": { offered: 5, late: 1, moved: 0 } });
      await b.countReceipts([{ ...receipt, source: "pod-b", outcome: "offered", count: 1 }]);
      await publish(a, 1);
      expect(await a.receipts()).toMatchObject({ "rollout/r/1": { offered: 6 } });
    });

    it("carries a word from pod to pod", async () => {
      a.tell("pod-b", { kind: "ask", session: "s1", g: 3, pod: "pod-a" });
      await expect.poll(() => heardB.controls).toMatchObject([{ kind: "ask", session: "s1", g: 3, pod: "pod-a" }]);
      b.tell("pod-a", { kind: "answer", session: "s1", g: 3, pod: "pod-b", live: true });
      await expect.poll(() => heardA.controls).toMatchObject([{ kind: "answer", pod: "pod-b", live: true }]);
    });

    it("keeps readers' cursors, by stream and name, and never moves one back within an epoch", async () => {
      const { cursors } = a;
      expect(await cursors.get("t/~user/ann", "phone")).toBeUndefined();
      await cursors.advance("t/~user/ann", "phone", { epoch: "e1", offset: 7 });
      await b.cursors.advance("t/~user/ann", "phone", { epoch: "e1", offset: 5 });
      await b.cursors.advance("t/~user/ann", "my laptop", { epoch: "e1", offset: 2 });
      expect(await b.cursors.get("t/~user/ann", "phone")).toEqual({ epoch: "e1", offset: 7 });
      expect(await b.cursors.get("t/~user/ann", "my laptop")).toEqual({ epoch: "e1", offset: 2 });
      expect(await b.cursors.get("t/~user/bob", "phone")).toBeUndefined();
      // The store lost the end of the former life.
      await cursors.advance("t/~user/ann", "phone", { epoch: "e2", offset: 6 });
      expect(await cursors.get("t/~user/ann", "phone")).toEqual({ epoch: "e2", offset: 6 });
    });

    describe("presence", () => {
      const entry = (member: string, g: number, d = 1, owner = "pod-a") => ({
        member,
        g,
        owner,
        visible: `{"u":"ann","d":${d}}`,
      });
      const place = "t/~presence/room";

      it("tells followers what others can see, numbered, and nothing of a new generation", async () => {
        await b.presence.follow(place);
        expect(await a.presence.enter(place, entry("s1", 1))).toBe(true);
        expect(await a.presence.enter(place, entry("s1", 2, 1, "pod-b"))).toBe(true);
        expect(await a.presence.enter(place, entry("s1", 1, 7))).toBe(false);
        expect(await a.presence.enter(place, entry("s1", 2, 2))).toBe(true);
        expect(await a.presence.leave(place, "s1", 1)).toBe(false);
        expect(await a.presence.leave(place, "s1", 3)).toBe(true);
        expect(await a.presence.leave(place, "s1", 3)).toBe(false);
        await expect
          .poll(() => heardB.presences)
          .toEqual([
            { place, version: 1, count: 1, member: "s1", visible: '{"u":"ann","d":1}' },
            { place, version: 2, count: 1, member: "s1", visible: '{"u":"ann","d":2}' },
            { place, version: 3, count: 0, member: "s1" },
          ]);
        expect(heardA.presences).toEqual([]);
      });

      it("is read whole when it is small, and in pages", async () => {
        expect(await a.presence.snapshot(place, 10)).toEqual({ version: 0, count: 0, entries: [] });
        for (let n = 0; n < 300; n += 1) await a.presence.enter(place, entry(`s${n}`, 1, n));
        const small = await b.presence.snapshot(place, 300);
        expect([small.version, small.count, small.entries?.length]).toEqual([300, 300, 300]);
        expect(small.entries).toContainEqual(entry("s7", 1, 7));
        expect(await b.presence.snapshot(place, 299)).toEqual({ version: 300, count: 300 });
        const members = new Set<string>();
        let cursor: string | undefined = "0";
        while (cursor !== undefined) {
          const page: Awaited<ReturnType<Broker["presence"]["page"]>> = await b.presence.page(place, cursor, 50);
          expect(page.count).toBe(300);
          for (const { member } of page.entries) members.add(member);
          cursor = page.next;
        }
        expect(members.size).toBe(300);
      });
    });

    it("knows the pods", async () => {
      const pods = await a.beat({ ...lease("pod-a"), mode: "none", gone: true });
      expect(new Map(pods.map(({ key, mode, gone }) => [key, [mode, gone]]))).toEqual(
        new Map([
          ["pod-a", ["none", true]],
          ["pod-b", ["active", false]],
        ]),
      );
      for (const { silentMs } of pods) expect(silentMs).toBeLessThan(5_000);
    });

    it("answers `unavailable` while the store is silent, and sending again afterwards stores once", async () => {
      await publish(a, 1);
      stage.freeze();
      try {
        expect(await publish(a, 2)).toEqual({ kind: "unavailable" });
        await expect(b.loadSession("s1")).rejects.toMatchObject({ code: "unavailable" });
      } finally {
        stage.wake();
      }
      await expect.poll(async () => (await publish(a, 2)).kind).toMatch(/stored|dup/);
      expect((await publish(a, 3)).kind).toBe("stored");
      expect((await a.read("t/room", 0, 10)).items.map(({ offset }) => offset)).toEqual([1, 2, 3]);
    });
  });
}
