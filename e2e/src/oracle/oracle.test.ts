import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Verdict } from "./evidence.ts";
import { Oracle, type OracleOptions } from "./oracle.ts";

type Delivery = { readonly offset: number; readonly id: string; readonly publisher: string; readonly seq: number };

/** `count` messages by two publishers in turn: p0:1 p1:1 p0:2 p1:2 ... at offsets 1.. */
function stream(count: number): Delivery[] {
  return Array.from({ length: count }, (_, index) => {
    const publisher = `p${index % 2}`;
    const seq = Math.floor(index / 2) + 1;
    return { offset: index + 1, id: `${publisher}:${seq}`, publisher, seq };
  });
}

function judge(
  messages: readonly Delivery[],
  bySubscriber: readonly (readonly Delivery[])[],
  options: OracleOptions = {},
): Verdict {
  const oracle = new Oracle(options);
  bySubscriber.forEach((_, index) => oracle.subscribed({ client: `c${index}`, channel: "room", after: 0 }));
  for (const { id, publisher } of messages) oracle.published({ publisher, channel: "room", id, at: 0 });
  bySubscriber.forEach((deliveries, index) => {
    for (const delivery of deliveries) oracle.received({ client: `c${index}`, channel: "room", ...delivery });
  });
  for (const { id, offset } of messages) oracle.acknowledged({ channel: "room", id, offset, at: 5 });
  return oracle.verdict();
}

const found = ({ lost, duplicated, reordered, forked }: Verdict) => ({ lost, duplicated, reordered, forked });
const NOTHING = { lost: 0, duplicated: 0, reordered: 0, forked: 0 };

describe("oracle", () => {
  const messages = stream(10);
  const at = (index: number): Delivery => messages[index] ?? expect.unreachable();

  it("passes a run in which everybody received the stream", () => {
    const verdict = judge(messages, [messages, messages, messages]);
    expect(found(verdict)).toEqual(NOTHING);
    expect(verdict).toMatchObject({ ok: true, delivered: 30, expected: 30, published: 10, acknowledged: 10, weak: [] });
    expect(verdict.hashes.get("room")).toMatch(/^[0-9a-f]{16}$/);
  });

  it("sees a dropped message and names client, channel and offset", () => {
    const verdict = judge(messages, [messages, messages.toSpliced(4, 1)]);
    expect(found(verdict)).toEqual({ ...NOTHING, lost: 1 });
    expect(verdict.ok).toBe(false);
    expect(verdict.examples).toEqual([
      { fault: "lost", client: "c1", channel: "room", offset: 5, what: "p0:3 never arrived" },
    ]);
  });

  it("sees messages missing at the end of one subscriber", () => {
    expect(found(judge(messages, [messages, messages.slice(0, 7)]))).toEqual({ ...NOTHING, lost: 3 });
  });

  it("sees an acknowledged message that nobody received", () => {
    expect(found(judge(messages, [messages.slice(0, 9), messages.slice(0, 9)]))).toEqual({ ...NOTHING, lost: 2 });
  });

  it("sees an acknowledged message without a position that nobody received", () => {
    const oracle = new Oracle();
    oracle.subscribed({ client: "c0", channel: "room", after: 0 });
    oracle.published({ publisher: "p0", channel: "room", id: "p0:1", at: 0 });
    oracle.acknowledged({ channel: "room", id: "p0:1", offset: 0, at: 1 });
    expect(found(oracle.verdict())).toEqual({ ...NOTHING, lost: 1 });
  });

  it("sees a repeated message", () => {
    const verdict = judge(messages, [messages, messages.toSpliced(5, 0, at(4))]);
    expect(found(verdict)).toEqual({ ...NOTHING, duplicated: 1 });
    expect(verdict.examples[0]).toMatchObject({ client: "c1", channel: "room", offset: 5, what: "p0:3 came twice" });
  });

  it("sees a message that was stored twice, at each subscriber", () => {
    const twice = [...messages, { ...at(9), offset: 11 }];
    expect(found(judge(messages, [twice, twice]))).toEqual({ ...NOTHING, duplicated: 2 });
  });

  it("sees two swapped messages", () => {
    const verdict = judge(messages, [messages, messages.toSpliced(4, 2, at(5), at(4))]);
    expect(found(verdict)).toEqual({ ...NOTHING, reordered: 1 });
    expect(verdict.examples[0]).toMatchObject({ client: "c1", channel: "room", offset: 5 });
  });

  it("sees a stream that holds one publisher's messages in the wrong order", () => {
    const wrong = messages.toSpliced(0, 3, { ...at(2), offset: 1 }, at(1), { ...at(0), offset: 3 });
    expect(found(judge(wrong, [wrong, wrong]))).toEqual({ ...NOTHING, reordered: 2 });
  });

  it("sees a fork: two messages at one offset", () => {
    const forked = messages.with(6, { ...at(6), id: "p0:other" });
    const verdict = judge(messages, [messages, forked]);
    expect(found(verdict)).toEqual({ ...NOTHING, forked: 1 });
    expect(verdict.examples[0]).toMatchObject({ client: "c1", offset: 7, what: "p0:other here, p0:4 elsewhere" });
  });

  it("sees an acknowledgement that names another offset than the one delivered", () => {
    const oracle = new Oracle();
    oracle.subscribed({ client: "c0", channel: "room", after: 0 });
    oracle.published({ publisher: "p0", channel: "room", id: "p0:1", at: 0 });
    oracle.received({ client: "c0", channel: "room", ...at(0) });
    oracle.acknowledged({ channel: "room", id: "p0:1", offset: 2, at: 1 });
    expect(found(oracle.verdict())).toEqual({ ...NOTHING, duplicated: 1, lost: 1 });
  });

  it("sees a delivery from before the subscription and one without a subscription", () => {
    const oracle = new Oracle();
    oracle.subscribed({ client: "c0", channel: "room", after: 1 });
    oracle.received({ client: "c0", channel: "room", ...at(0) });
    oracle.received({ client: "c9", channel: "room", ...at(1) });
    expect(found(oracle.verdict())).toMatchObject({ duplicated: 1, forked: 1 });
  });

  it("asks nothing of a subscriber after it left", () => {
    const oracle = new Oracle();
    for (const client of ["c0", "c1"]) oracle.subscribed({ client, channel: "room", after: 0 });
    for (const { id, publisher } of messages) oracle.published({ publisher, channel: "room", id, at: 0 });
    for (const delivery of messages) oracle.received({ client: "c0", channel: "room", ...delivery });
    for (const delivery of messages.slice(0, 3)) oracle.received({ client: "c1", channel: "room", ...delivery });
    oracle.left("c1", "room");
    expect(found(oracle.verdict())).toEqual(NOTHING);
  });

  it("calls evidence weak that proves nothing", () => {
    expect(judge([], [[]]).weak).toEqual(["nothing was delivered", "room had 0 publishers"]);
    const verdict = judge(messages, [messages], { minWitnessesPerChannel: 1 });
    expect(verdict).toMatchObject({ ok: false, weak: ["room had 0 witnesses"], ...NOTHING });
  });

  it("counts who is attested to have stayed on one socket as a witness", () => {
    const oracle = new Oracle({ minWitnessesPerChannel: 1, minPublishersPerChannel: 0 });
    oracle.subscribed({ client: "c0", channel: "room", after: 0 });
    oracle.received({ client: "c0", channel: "room", ...at(0) });
    oracle.attest("c0");
    expect(oracle.verdict()).toMatchObject({ ok: true, witnesses: 1 });
  });

  it("counts availability outside the declared faults", () => {
    const oracle = new Oracle();
    const publishAt = (id: string, at: number, ackedAt?: number) => {
      oracle.published({ publisher: "p0", channel: "room", id, at });
      if (ackedAt !== undefined) oracle.acknowledged({ channel: "room", id, offset: 0, at: ackedAt });
    };
    publishAt("a", 0, 1_000);
    publishAt("b", 0, 1_001);
    publishAt("c", 500);
    publishAt("d", 5_000);
    expect(oracle.verdict([{ from: 5_000, to: 6_000 }])).toMatchObject({
      published: 4,
      acknowledged: 2,
      unanswered: 2,
      availabilityPercent: (1 / 3) * 100,
    });
  });

  it("finds any single fault at any place, and gives equal streams one hash", () => {
    const fault = fc.constantFrom("drop", "repeat", "swap", "fork");
    fc.assert(
      fc.property(fault, fc.integer({ min: 2, max: 40 }), fc.nat(), (kind, length, place) => {
        const all = stream(length);
        const index = place % (length - 1);
        const one = all[index] ?? expect.unreachable();
        const two = all[index + 1] ?? expect.unreachable();
        const damaged = {
          drop: all.toSpliced(index, 1),
          repeat: all.toSpliced(index, 0, one),
          swap: all.toSpliced(index, 2, two, one),
          fork: all.with(index, { ...one, id: "other" }),
        }[kind];
        const expected = {
          drop: { ...NOTHING, lost: 1 },
          repeat: { ...NOTHING, duplicated: 1 },
          swap: { ...NOTHING, reordered: 1 },
          fork: { ...NOTHING, forked: 1 },
        }[kind];
        expect(found(judge(all, [all, damaged, all]))).toEqual(expected);
        expect(judge(all, [all]).hashes).toEqual(judge(all, [all, all]).hashes);
      }),
      { numRuns: 200 },
    );
  });
});
