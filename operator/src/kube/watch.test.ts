import { describe, expect, it } from "vitest";
import { FakeClock } from "../runtime/fake-clock.ts";
import type { KubeObject } from "./objects.ts";
import type { WatchEvent } from "./ports.ts";
import { podJson } from "./testing/scripted-server.ts";
import { parseWatchLine, readWatch } from "./watch.ts";

async function readAll(chunks: Uint8Array[]): Promise<WatchEvent<KubeObject>[]> {
  let destroyed = false;
  const body = {
    async *[Symbol.asyncIterator]() {
      for (const chunk of chunks) yield await Promise.resolve(chunk);
    },
    destroy: () => {
      destroyed = true;
    },
  };
  const abort = new AbortController();
  const clock = new FakeClock();
  const events: WatchEvent<KubeObject>[] = [];
  const stream = { body, clock, abort, inactivityMs: 1000, attempted: "watch pods" };
  for await (const event of readWatch(stream)) events.push(event);
  // Nothing is left behind: no timer, no request, no body.
  expect([clock.timerCount, abort.signal.aborted, destroyed]).toEqual([0, true, true]);
  return events;
}

describe("readWatch", () => {
  it("reads the same events however the bytes are cut", async () => {
    const lines = [
      { type: "ADDED", object: podJson("grün", 11) },
      { type: "MODIFIED", object: podJson("b", 12) },
      { type: "BOOKMARK", object: { metadata: { resourceVersion: "13" } } },
    ];
    const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const whole = await readAll([bytes]);
    expect(whole.map((event) => event.type)).toEqual(["ADDED", "MODIFIED", "BOOKMARK"]);
    for (let size = 1; size < bytes.length; size += 7) {
      const chunks: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
      expect(await readAll(chunks)).toEqual(whole);
    }
  });

  it("ignores a last line that was cut off", async () => {
    const line = JSON.stringify({ type: "ADDED", object: podJson("a", 11) });
    expect(await readAll([Buffer.from(`${line}\n${line.slice(0, 40)}`)])).toHaveLength(1);
  });
});

describe("parseWatchLine", () => {
  it("skips types of a future API and refuses events without a version", () => {
    const future = JSON.stringify({ type: "NEWS", object: podJson("a", 1) });
    expect(parseWatchLine(future, "watch pods")).toBeUndefined();
    expect(() => parseWatchLine('{"type":"ADDED","object":{}}', "watch pods")).toThrow(
      "cannot watch pods: an event of type ADDED has no version",
    );
  });

  it("throws the server's own reason", () => {
    const line = JSON.stringify({ type: "ERROR", object: { code: 410, reason: "Expired", message: "too old" } });
    expect(() => parseWatchLine(line, "watch pods")).toThrow("cannot watch pods: too old");
  });
});
