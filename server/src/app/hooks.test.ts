import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { MemoryStore } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";
import { HookRefusal } from "./hooks.ts";
import type { Hooks } from "./hooks.ts";
import { webHooks } from "./web-hooks.ts";

const { server, connect, clear } = createStage();
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  await clear();
});

describe("hooks", () => {
  it("hear of sessions that begin and end, and of no move or resume", async () => {
    const store = new MemoryStore();
    const said: string[] = [];
    const hooks: Hooks = {
      connect: ({ user }) => said.push(`connect ${user}`),
      disconnect: ({ user }) => said.push(`disconnect ${user}`),
    };
    const [a, b] = [await server({ broker: store, hooks }), await server({ broker: store, hooks })];
    const ann = await connect(a.url);
    ann.hello({ user: "ann" });
    const { session, secret = "" } = await ann.find("welcome");
    const again = await connect(b.url);
    again.hello({ user: "ann", resume: { session, secret, pos: [] } });
    await again.find("ready");
    await ann.closed;
    again.close();
    await expect.poll(() => said).toEqual(["connect ann", "disconnect ann"]);
  });

  it("refuse sessions, channels and messages, and keep the order of what they let through", async () => {
    const kept: string[] = [];
    const hooks: Hooks = {
      connect: ({ user }) => {
        if (user === "eve") throw new HookRefusal("not you");
      },
      subscribe: (_, channel) => {
        if (channel === "secret") throw new HookRefusal("members only");
      },
      beforePublish: async (_, { data, key }) => {
        await new Promise((wake) => setTimeout(wake, 5 * Math.random()));
        if (data === "bad") throw new HookRefusal("mind your language");
        kept.push(`${key} ${String(data)}`);
      },
    };
    const { url } = await server({ hooks });
    const eve = await connect(url);
    eve.hello({ user: "eve" });
    expect(await eve.find("err")).toMatchObject({ code: "refused", message: "not you" });
    expect(await eve.closed).toBe(4_002);
    const ann = await connect(url);
    ann.hello({ user: "ann", sub: [{ c: "secret" }, { c: "room" }] });
    await ann.find("ready");
    ann.send({ t: "sub", i: 1, c: "secret" });
    expect(await ann.find("err", ({ i }) => i === 1)).toMatchObject({ code: "refused", message: "members only" });
    expect(ann.frames.filter(({ t }) => t === "sub.ok")).toMatchObject([{ c: "room" }]);
    for (const [at, d] of ["one", "two", "three", "bad"].entries())
      ann.send({ t: "pub", i: at + 10, c: "room", s: at + 1, d });
    expect(await ann.find("err", ({ i }) => i === 13)).toMatchObject({ code: "refused" });
    await ann.find("pub", ({ o }) => o === 3);
    expect(ann.publications("room").map(({ d }) => d)).toEqual(["one", "two", "three"]);
    expect(kept).toEqual(["p1/1/1 one", "p1/1/2 two", "p1/1/3 three"]);
  });

  it("over HTTP refuse with 4xx, and let the client try again when the service is away", async () => {
    let status = 200;
    const bodies: unknown[] = [];
    const http = createServer((request, response) => {
      request.on("data", (chunk: Buffer) => bodies.push(JSON.parse(chunk.toString())));
      request.on("end", () => response.writeHead(status).end('{"message":"no"}'));
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => http.close());
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const pod = await server({ hooks: webHooks({ url, names: ["beforePublish"] }) });
    const ann = await connect(pod.url);
    ann.hello({ user: "ann" });
    await ann.find("ready");
    const publish = async (i: number, s: number) => {
      ann.send({ t: "pub", i, c: "room", s, d: i });
      const fits = (frame: { readonly i?: number }) => frame.i === i;
      const answer = await Promise.race([ann.find("pub.ok", fits), ann.find("err", fits)]);
      return answer.t === "err" ? answer.code : answer.t;
    };
    expect(await publish(1, 1)).toBe("pub.ok");
    status = 500;
    expect(await publish(2, 2)).toBe("unavailable");
    status = 403;
    expect(await publish(3, 2)).toBe("refused");
    status = 200;
    expect(await publish(4, 2)).toBe("pub.ok");
    expect(bodies[0]).toMatchObject({ hook: "beforePublish", user: "ann", channel: "room", data: 1, key: "p1/1/1" });
  });
});
