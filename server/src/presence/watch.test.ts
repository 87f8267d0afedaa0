import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PresenceEvent } from "../broker/presence-port.ts";
import { LISTED_MEMBERS, Watch } from "./watch.ts";

type Told = {
  readonly n: number;
  readonly many?: boolean;
  readonly reset?: boolean;
  readonly join?: readonly { readonly m: string; readonly d: unknown }[];
  readonly leave?: readonly string[];
};

/** What a watcher makes of the frames. */
class Reader {
  members: Map<string, unknown> | undefined = new Map();
  count = 0;
  read(text: string): void {
    if (text === "") return;
    const frame = JSON.parse(text) as Told;
    this.count = frame.n;
    if (frame.many) {
      this.members = undefined;
      return;
    }
    if (frame.reset) this.members = new Map();
    for (const { m, d } of frame.join ?? []) this.members?.set(m, d);
    for (const m of frame.leave ?? []) this.members?.delete(m);
  }
}

const visible = (d: number) => `{"u":"ann","d":${d}}`;

describe("a watch", () => {
  it("tells what changed, and nothing of one that came and went in between", () => {
    const watch = new Watch("t/~presence/room", "room");
    watch.load({ version: 4, count: 0, entries: [] });
    expect(watch.news()).toBe("");
    const event = (version: number, member: string, d?: number): PresenceEvent => ({
      place: watch.place,
      version,
      count: 1,
      member,
      ...(d === undefined ? {} : { visible: visible(d) }),
    });
    expect([watch.accept(event(5, "a", 1)), watch.accept(event(6, "b", 1)), watch.accept(event(7, "b"))]).toEqual([
      true,
      true,
      true,
    ]);
    expect(JSON.parse(watch.news())).toEqual({ t: "pres", c: "room", n: 1, join: [{ m: "a", u: "ann", d: 1 }] });
    expect(watch.news()).toBe("");
    // Known already, and one missing in between.
    expect([watch.accept(event(6, "x", 1)), watch.accept(event(9, "y", 1))]).toEqual([true, false]);
    expect(watch.news()).toBe("");
  });

  it("tells a crowd as a number, and lists it again only when it is well below", () => {
    const watch = new Watch("p", "room");
    watch.load({ version: 0, count: 0, entries: [] });
    watch.news();
    const changes = (from: number, to: number) => {
      let isEnough = true;
      for (let n = from; n !== to; n += Math.sign(to - from)) {
        const count = to > from ? n + 1 : n - 1;
        const event = { place: "p", version: (version += 1), count, member: `m${to > from ? n : n - 1}` };
        isEnough = watch.accept(to > from ? { ...event, visible: visible(1) } : event) && isEnough;
      }
      return isEnough;
    };
    let version = 0;
    expect(changes(0, LISTED_MEMBERS + 1)).toBe(true);
    expect(JSON.parse(watch.news())).toEqual({ t: "pres", c: "room", n: LISTED_MEMBERS + 1, many: true });
    expect(changes(LISTED_MEMBERS + 1, 161)).toBe(true);
    expect(JSON.parse(watch.news())).toEqual({ t: "pres", c: "room", n: 161, many: true });
    expect(changes(161, 160)).toBe(false);
  });

  it("leaves every watcher with the truth, whenever it came and however large the crowd", () => {
    const step = fc.record({
      member: fc.integer({ min: 0, max: 259 }),
      data: fc.option(fc.integer({ min: 0, max: 2 })),
    });
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 120 }), { maxLength: 8 }), (rounds) => {
        const truth = new Map<string, string>();
        const watch = new Watch("p", "room");
        const snapshot = (version: number) => ({
          version,
          count: truth.size,
          ...(truth.size <= LISTED_MEMBERS
            ? { entries: [...truth].map(([member, text]) => ({ member, visible: text, g: 1, owner: "x" })) }
            : {}),
        });
        let version = 0;
        watch.load(snapshot(0));
        watch.news();
        const readers = [new Reader()];
        readers[0]?.read(watch.whole());
        for (const steps of rounds) {
          for (const { member, data } of steps) {
            const name = `m${member}`;
            const text = data === null ? undefined : visible(data);
            if (truth.get(name) === text) continue;
            if (text === undefined) truth.delete(name);
            else truth.set(name, text);
            version += 1;
            const event = { place: "p", version, count: truth.size, member: name };
            if (!watch.accept(text === undefined ? event : { ...event, visible: text })) watch.load(snapshot(version));
          }
          const late = new Reader();
          late.read(watch.whole());
          readers.push(late);
          const news = watch.news();
          for (const reader of readers) reader.read(news);
          for (const reader of readers) {
            expect(reader.count).toBe(truth.size);
            if (truth.size <= 160) expect(reader.members?.size).toBe(truth.size);
            if (truth.size > LISTED_MEMBERS) expect(reader.members).toBeUndefined();
            for (const [member, d] of reader.members ?? []) expect(truth.get(member)).toBe(visible(Number(d)));
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
