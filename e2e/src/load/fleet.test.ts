import { describe, expect, it } from "vitest";
import type { Connect, Delivery, StartPosition } from "./connection.ts";
import type { SocketLife } from "./continuity.ts";
import { Fleet } from "./fleet.ts";
import { LOAD_DEFAULTS, type LoadOptions, type LoadSummary } from "./messages.ts";

type Tamper = (client: string, delivery: Delivery) => readonly Delivery[];
const now = () => performance.now();

/** A store in memory that every client reaches at once; `tamper` decides what a client is given instead of a message. */
function storeConnect(tamper: Tamper = (_, delivery) => [delivery]): Connect {
  const streams = new Map<string, { messages: unknown[]; readers: Set<(delivery: Delivery) => void> }>();
  const streamOf = (channel: string) => {
    const stream = streams.get(channel) ?? { messages: [], readers: new Set() };
    streams.set(channel, stream);
    return stream;
  };
  return (client, events) => {
    const life: { -readonly [K in keyof SocketLife]: SocketLife[K] } = {};
    return {
      sockets: [life],
      async open() {
        Object.assign(life, { openedAt: now(), welcomedAt: now(), pod: "a", prepared: false, resumed: false });
      },
      async subscribe(channel: string, after?: StartPosition) {
        const { messages, readers } = streamOf(channel);
        const give = (delivery: Delivery) => tamper(client, delivery).forEach((one) => events.delivered(one));
        const start = after?.offset ?? messages.length;
        messages.slice(start).forEach((data, index) => give({ channel, offset: start + index + 1, data }));
        readers.add(give);
        return { epoch: "e", offset: start };
      },
      async publish(channel: string, data: unknown) {
        const { messages, readers } = streamOf(channel);
        const offset = messages.push(data);
        for (const give of readers) give({ channel, offset, data });
        return offset;
      },
      close: () => undefined,
    };
  };
}

const OPTIONS: LoadOptions = {
  ...LOAD_DEFAULTS,
  url: "unused",
  clients: 6,
  rooms: 2,
  messagesPerSecond: 50,
  connectsPerSecond: 10_000,
};

async function runFleet(connect: Connect): Promise<LoadSummary> {
  const fleet = new Fleet(OPTIONS, connect, now);
  await fleet.open(() => undefined);
  fleet.publish();
  while (fleet.stats().published < 60) await new Promise((wake) => setTimeout(wake, 5));
  await fleet.joinWitnesses();
  while (fleet.stats().published < 90) await new Promise((wake) => setTimeout(wake, 5));
  return fleet.finish();
}

describe("fleet", () => {
  it("passes over a store that does what it should", async () => {
    const summary = await runFleet(storeConnect());
    expect(summary.verdict).toMatchObject({ ok: true, lost: 0, duplicated: 0, reordered: 0, forked: 0, weak: [] });
    expect(summary.verdict.delivered).toBe(summary.verdict.expected);
    expect(summary).toMatchObject({ moves: 0, resumes: 0, cut: 0, disconnects: 0, maxGapMs: 0 });
    // Two witnesses that joined, two audits, six clients that never moved; the seventh seat in a second room is one client's.
    expect(summary.verdict.witnesses).toBe(11);
  });

  it("sees what one client is given twice", async () => {
    const summary = await runFleet(
      storeConnect((client, one) => (client === "c1" && one.offset === 5 ? [one, one] : [one])),
    );
    expect(summary.verdict).toMatchObject({ ok: false, duplicated: 1, lost: 0 });
    expect(summary.verdict.examples[0]).toMatchObject({ client: "c1", offset: 5 });
  });

  it("sees another message in the place of one", async () => {
    const other = { by: "c0", seq: 999, at: 0 };
    const summary = await runFleet(
      storeConnect((client, one) => (client === "c1" && one.offset === 5 ? [{ ...one, data: other }] : [one])),
    );
    expect(summary.verdict.ok).toBe(false);
    expect(summary.verdict.forked).toBeGreaterThan(0);
  });
});
