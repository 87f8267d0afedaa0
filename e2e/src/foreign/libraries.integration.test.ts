// WebSocket libraries of other languages against the real server: they connect, publish, receive, and see the close codes.

import { SUBPROTOCOL } from "@wscluster/protocol";
import type { ClientFrame, ServerFrame } from "@wscluster/protocol";
import { MemoryStore, startServer } from "@wscluster/server/testing";
import type { StartServerOptions, TestServer } from "@wscluster/server/testing";
import { afterEach, describe, expect, it } from "vitest";
import type { JournalProcess } from "./journal-process.ts";
import { foreignLibraries, openPipe } from "./pipes.ts";
import { whySkipped } from "./toolchains.ts";

const ann = { t: "hello", user: "ann", producer: { id: "ann-1", gen: 1 }, caps: ["resume"] } as const;

for (const library of await foreignLibraries()) {
  describe.skipIf(!library.tool.found)(`${library.name}${whySkipped(library.tool)}`, { timeout: 60_000 }, () => {
    const servers: TestServer[] = [];
    const pipes: JournalProcess[] = [];

    afterEach(async () => {
      await Promise.all(pipes.splice(0).map((pipe) => pipe.kill()));
      await Promise.all(servers.splice(0).map((server) => server.stop()));
    });

    async function start(options: StartServerOptions = {}): Promise<TestServer> {
      const server = await startServer(options);
      servers.push(server);
      return server;
    }

    async function open(url: string): Promise<JournalProcess> {
      const pipe = openPipe(library, url, SUBPROTOCOL);
      pipes.push(pipe);
      await pipe.find("open");
      return pipe;
    }

    const say = (pipe: JournalProcess, ...frames: readonly ClientFrame[]) => {
      for (const frame of frames) pipe.say(JSON.stringify(frame));
    };
    const framesOf = (pipe: JournalProcess) => pipe.of("frame").map(({ frame }) => frame as ServerFrame);
    const find = async <T extends ServerFrame["t"]>(pipe: JournalProcess, t: T) => {
      const isIt = (frame: ServerFrame): frame is Extract<ServerFrame, { t: T }> => frame.t === t;
      await expect.poll(() => framesOf(pipe).some(isIt), { timeout: 10_000 }).toBe(true);
      return framesOf(pipe).find(isIt) ?? expect.unreachable();
    };

    it("negotiates, subscribes, publishes and receives, up to the largest frame", async () => {
      const server = await start();
      const pipe = await open(server.url);
      expect(pipe.of("open")[0]).toMatchObject({ subprotocol: SUBPROTOCOL });
      say(pipe, { ...ann, sub: [{ c: "room" }] });
      await find(pipe, "ready");
      const large = { text: "größe 😀 ".repeat(4_000) };
      say(
        pipe,
        { t: "pub", i: 1, c: "room", s: 1, d: { text: "first" } },
        { t: "pub", i: 2, c: "room", s: 2, d: large },
      );
      await pipe.find("frame", 7);
      const publications = framesOf(pipe).filter((frame) => frame.t === "pub");
      expect(publications).toMatchObject([
        { c: "room", o: 1, p: "ann", d: { text: "first" } },
        { c: "room", o: 2, p: "ann", d: large },
      ]);
      expect(framesOf(pipe).filter((frame) => frame.t === "pub.ok")).toMatchObject([
        { i: 1, o: 1 },
        { i: 2, o: 2 },
      ]);
      await pipe.finish();
      await expect.poll(() => server.sessions()).toEqual([]);
    });

    it("is pinged and stays, without traffic", async () => {
      const server = await start({ settings: { heartbeatMs: 50 } });
      const pipe = await open(server.url);
      say(pipe, ann);
      await find(pipe, "welcome");
      for (let count = 1; count <= 3; count += 1) {
        await expect.poll(() => framesOf(pipe).filter(({ t }) => t === "ping").length).toBeGreaterThanOrEqual(count);
        say(pipe, { t: "pong" });
      }
      expect(server.sessions()).toHaveLength(1);
    });

    it("sees each close code as it was meant", async () => {
      const store = new MemoryStore();
      const server = await start({ broker: store, helloDeadlineMs: 2_000 });
      const silent = await open(server.url);
      const broken = await open(server.url);
      broken.say("[this is no JSON");
      const large = await open(server.url);
      say(large, ann);
      large.say(JSON.stringify({ t: "pub", i: 1, c: "room", s: 1, d: "x".repeat(70_000) }));
      const moved = await open(server.url);
      say(moved, ann);
      const { session, secret = "" } = await find(moved, "welcome");
      const other = await open(server.url);
      say(other, { ...ann, resume: { session, secret, pos: [] } });
      await find(other, "welcome");
      expect(await broken.find("closed")).toMatchObject({ code: 4000 });
      expect(await large.find("closed")).toMatchObject({ code: 1009 });
      expect(await moved.find("closed")).toMatchObject({ code: 4210 });
      expect(await silent.find("closed")).toMatchObject({ code: 4003 });
      await server.terminate();
      expect(await other.find("closed")).toMatchObject({ code: 4200 });
      expect(framesOf(other).at(-1)).toMatchObject({ t: "bye", code: 4200 });
    });

    it("sees why it is not let in", async () => {
      const server = await start();
      const pipe = openPipe(library, `${server.url}?pod=0000000000000000&ticket=none`, SUBPROTOCOL);
      pipes.push(pipe);
      expect(await pipe.find("refused")).toMatchObject({ status: 403 });
    });
  });
}
