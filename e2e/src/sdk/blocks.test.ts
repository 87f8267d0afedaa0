import { inflateRawSync } from "node:zlib";
import { connect, readingBlocks } from "@wscluster/client";
import type { Message, WebSocketFactory } from "@wscluster/client";
import { startServer } from "@wscluster/server/testing";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { until } from "./stage.ts";

const CHANNEL = "ticker";
const COUNT = 120;
const cleanups: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const plainSocket: WebSocketFactory = (url, protocol) => new WebSocket(url, protocol, { perMessageDeflate: false });

function subscriber(url: string, webSocket: WebSocketFactory) {
  const client = connect({ url, webSocket });
  cleanups.push(() => client.close());
  const got: Message[] = [];
  client.subscribe(CHANNEL, { onMessage: (message) => void got.push(message) });
  return { client, got, values: () => got.map(({ data }) => (data as { readonly n: number }).n) };
}

describe("a channel that gathers, with the SDK", () => {
  it("gives everybody everything in order, and sends fewer bytes to who reads blocks", async () => {
    const namespaces = [{ names: [CHANNEL], conflateMs: 0, batchMs: 40, batchSize: 100, priority: "normal" as const }];
    const server = await startServer({ settings: { namespaces } });
    cleanups.push(() => server.stop());
    let binaryBytes = 0;
    let textBytes = 0;
    const counted: WebSocketFactory = (url, protocol) => {
      const socket = new WebSocket(url, protocol, { perMessageDeflate: false });
      socket.on("message", (data, isBinary) => {
        const bytes = data instanceof ArrayBuffer || Buffer.isBuffer(data) ? data.byteLength : 0;
        if (isBinary) binaryBytes += bytes;
        else textBytes += bytes;
      });
      return socket;
    };
    const packed = subscriber(server.url, readingBlocks(inflateRawSync, counted));
    const plain = subscriber(server.url, plainSocket);
    await Promise.all([packed.client.ready(), plain.client.ready()]);
    const before = textBytes;
    const writer = connect({ url: server.url, webSocket: plainSocket });
    cleanups.push(() => writer.close());
    await Promise.all(Array.from({ length: COUNT }, (_, n) => writer.publish(CHANNEL, { n, text: "line\nline" })));
    const all = Array.from({ length: COUNT }, (_, n) => n);
    for (const { got } of [packed, plain]) await until(() => got.length >= COUNT, `${COUNT} messages`);
    expect([packed.values(), plain.values()]).toEqual([all, all]);
    const asText = plain.got.reduce((sum, message) => sum + JSON.stringify(message).length, 0);
    expect(binaryBytes).toBeGreaterThan(0);
    const metrics = await (await fetch(`${server.adminUrl}/metrics`)).text();
    expect(Number(/^wscluster_block_saved_bytes_total (\d+)/m.exec(metrics)?.[1])).toBeGreaterThan(0);
    expect(binaryBytes + textBytes - before).toBeLessThan(asText * 0.8);
  });
});
