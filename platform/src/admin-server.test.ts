import { afterEach, describe, expect, it } from "vitest";
import { createAdminServer } from "./admin-server.ts";
import type { AdminServer } from "./admin-server.ts";

let server: AdminServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

describe("createAdminServer", () => {
  it("answers routes, 404, 405, 413 and 500, and stops with connections open", async () => {
    server = createAdminServer(
      { port: 0, host: "127.0.0.1" },
      {
        "GET /livez": () => ({ status: 200, body: "ok" }),
        "POST /echo": (request) => ({ status: 200, body: { length: request.body.length } }),
        "GET /fails": () => Promise.reject(new Error("broken part")),
      },
    );
    const url = `http://127.0.0.1:${await server.start()}`;
    const get = async (path: string, init?: RequestInit) => {
      const response = await fetch(url + path, init);
      return [response.status, await response.text()] as const;
    };
    expect(await get("/livez?verbose")).toEqual([200, "ok"]);
    // A scraper that comes each 30 s, or each minute, keeps its connection.
    expect((await fetch(`${url}/livez`)).headers.get("keep-alive")).toBe("timeout=75");
    expect(await get("/echo", { method: "POST", body: "12345" })).toEqual([200, '{"length":5}']);
    expect((await get("/livez", { method: "POST" }))[0]).toBe(405);
    expect((await get("/nope"))[0]).toBe(404);
    expect((await get("/echo", { method: "POST", body: "x".repeat(70_000) }))[0]).toBe(413);
    expect((await get("/fails"))[0]).toBe(500);
  });
});
