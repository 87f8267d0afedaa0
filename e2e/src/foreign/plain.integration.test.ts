// WebSocket libraries of other languages as plain clients: no subprotocol, JSON, the end with 1012.

import { connect } from "@wscluster/client";
import type { Client } from "@wscluster/client";
import { PLAIN_SERVER_FRAME_ROWS } from "@wscluster/protocol/gen";
import { MemoryStore, startServer } from "@wscluster/server/testing";
import type { TestServer } from "@wscluster/server/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { faultsOf } from "./frame-faults.ts";
import type { JournalProcess } from "./journal-process.ts";
import { foreignLibraries, openPipe } from "./pipes.ts";
import { whySkipped } from "./toolchains.ts";

type Frame = { readonly type: string; readonly [key: string]: unknown };

for (const library of await foreignLibraries()) {
  describe.skipIf(!library.tool.found)(
    `${library.name} without the subprotocol${whySkipped(library.tool)}`,
    { timeout: 60_000 },
    () => {
      const servers: TestServer[] = [];
      const pipes: JournalProcess[] = [];
      let friend: Client;

      beforeEach(async () => {
        const store = new MemoryStore();
        servers.push(...(await Promise.all([startServer({ broker: store }), startServer({ broker: store })])));
        const webSocket = (url: string, protocol: string) => new WebSocket(url, protocol);
        friend = connect({ url: server(1).url, user: "bob", webSocket });
      });

      afterEach(async () => {
        friend.close();
        await Promise.all(pipes.splice(0).map((pipe) => pipe.kill()));
        await Promise.all(servers.splice(0).map((started) => started.stop()));
      });

      const server = (index: number): TestServer => servers[index] ?? expect.unreachable();
      const framesOf = (pipe: JournalProcess) => pipe.of("frame").map(({ frame }) => frame as Frame);
      const messagesOf = (pipe: JournalProcess) =>
        framesOf(pipe).flatMap((frame) => (frame.type === "batch" ? (frame["messages"] as Frame[]) : [frame]));
      const find = async (pipe: JournalProcess, want: Frame) => {
        const fits = (frame: Frame) => Object.entries(want).every(([key, value]) => frame[key] === value);
        await expect.poll(() => messagesOf(pipe).find(fits), { timeout: 15_000 }).toBeDefined();
        return messagesOf(pipe).find(fits);
      };

      async function enter(): Promise<JournalProcess> {
        const pipe = openPipe(library, server(0).url);
        pipes.push(pipe);
        expect(await pipe.find("open")).toMatchObject({ subprotocol: "" });
        pipe.say(JSON.stringify({ type: "authenticate", user: "ann" }));
        pipe.say(JSON.stringify({ type: "subscribe", channel: "room", id: 1 }));
        await find(pipe, { type: "subscribed", id: 1 });
        return pipe;
      }

      it("publishes, receives, is answered, and ends in order", async () => {
        const pipe = await enter();
        pipe.say(JSON.stringify({ type: "publish", channel: "room", id: 2, data: { text: "größe 😀" } }));
        await find(pipe, { type: "published", id: 2 });
        expect(await find(pipe, { type: "message", from: "ann" })).toMatchObject({ data: { text: "größe 😀" } });
        const texts = Array.from({ length: 50 }, (_, index) => `n${index}`);
        await Promise.all(texts.map((text) => friend.publish("room", text)));
        await find(pipe, { type: "message", data: "n49" });
        const fromBob = messagesOf(pipe).filter(({ from }) => from === "bob");
        expect(fromBob.map(({ data }) => data)).toEqual(texts);
        pipe.say(JSON.stringify({ type: "dance", id: 3 }));
        expect(await find(pipe, { type: "error", id: 3 })).toMatchObject({ code: "unknown-type" });
        expect(framesOf(pipe).flatMap((frame) => faultsOf(frame.type, frame, PLAIN_SERVER_FRAME_ROWS))).toEqual([]);
        await pipe.finish();
        await expect.poll(() => server(0).sessions()).toEqual([]);
      });

      it("is told in time that the pod goes, and sees 1012", async () => {
        const pipe = await enter();
        await server(0).terminate();
        expect(await pipe.find("closed")).toMatchObject({ code: 1012 });
        const last = messagesOf(pipe).at(-1);
        expect(last).toMatchObject({ type: "server_shutdown", closing: true, reconnect_min_ms: 0 });
        expect(last?.["reconnect_max_ms"]).toBeGreaterThanOrEqual(0);
        expect(framesOf(pipe).flatMap((frame) => faultsOf(frame.type, frame, PLAIN_SERVER_FRAME_ROWS))).toEqual([]);
      });

      it("is closed with 4000 for what is no JSON", async () => {
        const pipe = await enter();
        pipe.say("hello?");
        expect(await pipe.find("closed")).toMatchObject({ code: 4000 });
      });
    },
  );
}
