import { describe, expect, it } from "vitest";
import { systemClock } from "../runtime/index.ts";
import { FairSlots } from "./fair-slots.ts";
import type { JsonRequest } from "./http-json.ts";
import { type PollTarget, StatePoller } from "./poller.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("fair slots", () => {
  it("let nobody have them all, and take turns", async () => {
    const slots = new FairSlots({ total: 3, perKey: 2 });
    const order: string[] = [];
    const ask = (key: string, name: string) => void slots.take(key).then(() => order.push(name));
    for (const name of ["a1", "a2", "a3", "a4"]) ask("a", name);
    ask("b", "b1");
    ask("c", "c1");
    ask("b", "b2");
    await turn();
    expect(order).toEqual(["a1", "a2", "b1"]);
    slots.release("a");
    slots.release("a");
    slots.release("b");
    await turn();
    expect(order).toEqual(["a1", "a2", "b1", "a3", "c1", "b2"]);
    slots.release("a");
    await turn();
    expect(order.at(-1)).toBe("a4");
    ask("a", "a5");
    slots.drain();
    await turn();
    expect(order.at(-1)).toBe("a5");
  });
});

describe("a cluster whose pods hang", () => {
  it("does not slow the questions to another", async () => {
    const targetsOf = (cluster: string, count: number): PollTarget[] =>
      Array.from({ length: count }, (_none, index) => ({
        uid: `${cluster}-${index}`,
        key: `${cluster}-${index}`,
        kind: "server",
        host: cluster,
        port: 1,
      }));
    let hanging = 0;
    const asked: string[] = [];
    const send = ({ host, signal }: JsonRequest) => {
      asked.push(host);
      if (host !== "hangs") return Promise.resolve({ status: 200, body: {} });
      hanging++;
      // For good: no time limit of a test can be taken for the others' turn.
      return new Promise<never>((_resolve, reject) => {
        signal?.addEventListener("abort", () => reject(new Error("stopped")));
      });
    };
    const polled: string[] = [];
    const poller = new StatePoller({
      clock: systemClock,
      send,
      onPolled: (cluster) => void polled.push(cluster),
      concurrency: 8,
    });
    poller.watch("hangs", targetsOf("hangs", 200), 60_000);
    await expect.poll(() => hanging).toBe(4);
    poller.watch("fine", targetsOf("fine", 20), 60_000);
    await expect.poll(() => polled).toEqual(["fine"]);
    expect(asked.filter((host) => host === "fine")).toHaveLength(20);
    expect(hanging).toBe(4);
    poller.stop();
  });
});
