import { deflateRawSync, inflateRawSync } from "node:zlib";
import { describe, expect, it, vi } from "vitest";
import { BLOCK_SEPARATOR } from "@wscluster/protocol";
import type { ServerFrame } from "@wscluster/protocol";
import { readingBlocks } from "./blocks.ts";
import type { Message } from "./subscription.ts";
import { pub, ready, ScriptedSocket, stage, subOk, welcome } from "./testing/scripted-server.ts";

const CHANNEL = "room";

class BinarySocket extends ScriptedSocket {
  binaryType = "blob";

  sayBlock(...frames: ServerFrame[]): void {
    const texts = frames.map((frame) => JSON.stringify(frame)).join(BLOCK_SEPARATOR);
    // A fresh ArrayBuffer, as sockets give it.
    this.onmessage?.({ data: new Uint8Array(deflateRawSync(texts)).buffer });
  }
}

async function reading(inflate = inflateRawSync as (block: Uint8Array) => Uint8Array) {
  const sockets: BinarySocket[] = [];
  const scene = stage({
    webSocket: readingBlocks(inflate, (url, protocol) => {
      const socket = new BinarySocket(url, protocol);
      sockets.push(socket);
      return socket;
    }),
  });
  await scene.clock.advance(0);
  const [socket] = sockets as [BinarySocket];
  socket.open().say(welcome(), ready);
  const got: Message[] = [];
  scene.client.subscribe(CHANNEL, { onMessage: (message) => void got.push(message) });
  socket.say(subOk(CHANNEL, 0, { i: socket.last("sub").i }));
  return { ...scene, socket, sockets, offsets: () => got.map(({ offset }) => offset) };
}

describe("a socket that reads blocks", () => {
  it("asks for them and gives what is in them in order, between other frames", async () => {
    const { socket, offsets } = await reading();
    expect(socket.binaryType).toBe("arraybuffer");
    expect(socket.last("hello").caps).toEqual(["migrate", "resume", "batch"]);
    socket.say(pub(CHANNEL, 1));
    socket.sayBlock(pub(CHANNEL, 2), pub(CHANNEL, 3));
    socket.say(pub(CHANNEL, 4));
    expect(offsets()).toEqual([1, 2, 3, 4]);
  });

  it("breaks the connection at a block that cannot be read, and resumes", async () => {
    const inflate = vi.fn<(block: Uint8Array) => Uint8Array>(() => {
      throw new Error("bad block");
    });
    const { socket, sockets, clock, client } = await reading(inflate);
    socket.sayBlock(pub(CHANNEL, 1));
    expect(inflate).toHaveBeenCalledOnce();
    expect(socket.closedByClient).toBeDefined();
    socket.end(1006);
    expect(client.state).not.toBe("live");
    await clock.advance(10_000);
    expect(sockets.length).toBe(2);
    expect(sockets[1]?.open().last("hello").resume?.pos).toEqual([[CHANNEL, expect.any(String), 0]]);
  });

  it("is heard no more once the client gave it up", async () => {
    const { socket, client, offsets } = await reading();
    client.close();
    socket.sayBlock(pub(CHANNEL, 1));
    expect(offsets()).toEqual([]);
  });
});
