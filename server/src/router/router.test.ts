import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createStage } from "../testing/stage.ts";
import { Breaker } from "./breaker.ts";
import { callHttpRoute } from "./http-route.ts";
import { RouteError, Router } from "./router.ts";
import type { Routes, Try } from "./router.ts";

const { server, connect, clear } = createStage();
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  await clear();
});

const session = { id: "s", user: "ann", tenant: "t", device: "", state: () => undefined, setState: async () => {} };
const wanted = (route: string, key = "k1") => ({ route, data: { n: 1 }, text: '{"n":1}', session, key });

function routerFor(routes: Routes, tries: readonly Try[] = []) {
  const calls: string[] = [];
  const left = [...tries];
  const router = new Router({
    routes: () => routes,
    now: () => performance.now(),
    onFault: () => {},
    callUrl: async (url, { key }) => {
      calls.push(`${url} ${key}`);
      return left.shift() ?? { kind: "answer", text: "1" };
    },
  });
  return { router, calls };
}

describe("a route", () => {
  it("that is not idempotent is called once at most; when nobody knows its outcome, that is the answer", async () => {
    const { router, calls } = routerFor({ pay: { url: "u" } }, [{ kind: "maybe" }]);
    expect(await router.call(wanted("pay"), false)).toEqual({ kind: "unknown" });
    expect(await router.call(wanted("pay"), true)).toEqual({ kind: "unknown" });
    expect(calls).toEqual(["u k1"]);
  });

  it("that is idempotent is called again under the same key", async () => {
    const { router, calls } = routerFor({ pay: { url: "u", idempotent: true } }, [
      { kind: "maybe" },
      { kind: "unavailable" },
    ]);
    expect(await router.call(wanted("pay", "k9"), true)).toEqual({ kind: "answer", text: "1" });
    expect(calls).toEqual(["u k9", "u k9", "u k9"]);
  });

  it("that fails again and again is left alone for a while", async () => {
    let now = 0;
    const breaker = new Breaker(() => now, { failures: 2, openMs: 100 });
    breaker.tell(false);
    expect(breaker.waitMs()).toBe(0);
    breaker.tell(false);
    expect(breaker.waitMs()).toBe(100);
    now = 100;
    expect([breaker.waitMs(), breaker.waitMs()]).toEqual([0, 100]);
    breaker.tell(false);
    expect(breaker.waitMs()).toBe(100);
    now = 200;
    expect(breaker.waitMs()).toBe(0);
    breaker.tell(true);
    expect(breaker.waitMs()).toBe(0);
  });

  it("answers in time or not at all", async () => {
    const { router } = routerFor({ slow: { handler: () => new Promise(() => {}), timeoutMs: 20 } });
    expect(await router.call(wanted("slow"), false)).toEqual({ kind: "unknown" });
    expect(await router.call(wanted("toString"), false)).toEqual({ kind: "no-route" });
  });

  it("over HTTP is told who calls, and its status says what became of the call", async () => {
    const seen: unknown[] = [];
    const http = createServer((request, response) => {
      const { "idempotency-key": key, "x-wsc-user": user } = request.headers;
      seen.push([request.url, key, user]);
      const status = Number(request.url?.slice(1));
      response.writeHead(status).end(status === 200 ? '{"ok":true}' : '{"message":"too much"}');
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => http.close());
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const call = { ...wanted("r", "k7"), signal: AbortSignal.timeout(1_000) };
    expect(await callHttpRoute(`${url}/200`, call)).toEqual({ kind: "answer", text: '{"ok":true}' });
    expect(await callHttpRoute(`${url}/422`, call)).toEqual({ kind: "failed", message: "too much" });
    expect(await callHttpRoute(`${url}/503`, call)).toEqual({ kind: "unavailable" });
    expect(await callHttpRoute(`${url}/500`, call)).toEqual({ kind: "maybe" });
    const gone = createServer();
    await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    expect(await callHttpRoute(`http://127.0.0.1:${port}/`, call)).toEqual({ kind: "unavailable" });
    expect(seen[0]).toEqual(["/200", "k7", "ann"]);
  });

  it("is called by clients, sees and keeps their state, and says no with its own words", async () => {
    const { url } = await server({
      routes: {
        add: {
          handler: async (data, { session: caller }) => {
            const total = Number(caller.state() ?? 0) + Number(data);
            await caller.setState(total);
            return { total, by: caller.user };
          },
        },
        deny: {
          handler: () => {
            throw new RouteError("not today");
          },
        },
        break: {
          handler: () => {
            throw new Error("secret detail");
          },
        },
      },
    });
    const client = await connect(url);
    client.hello({ user: "ann" });
    await client.find("ready");
    const call = async (i: number, m: string, d: unknown) => {
      client.send({ t: "rpc", i, m, k: `k${i}`, d });
      const fits = (frame: { readonly i?: number }) => frame.i === i;
      return Promise.race([client.find("rpc.ok", fits), client.find("err", fits)]);
    };
    expect(await call(1, "add", 2)).toMatchObject({ d: { total: 2, by: "ann" } });
    expect(await call(2, "add", 3)).toMatchObject({ d: { total: 5, by: "ann" } });
    expect(await call(3, "deny", 0)).toMatchObject({ code: "route-failed", message: "not today" });
    expect(await call(4, "break", 0)).toMatchObject({ code: "route-failed", message: "The route failed." });
    expect(await call(5, "nothing", 0)).toMatchObject({ code: "no-route" });
  });
});
