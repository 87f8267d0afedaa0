import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeClock } from "../runtime/fake-clock.ts";
import type { Credentials } from "./config.ts";
import { Connection } from "./connection.ts";

let server: Server;
let connections: number;
let paths: string[];
let tokens: (string | undefined)[];
let credentials: () => Promise<Credentials>;
let connection: Connection;
let clock: FakeClock;

beforeEach(async () => {
  connections = 0;
  paths = [];
  tokens = [];
  server = createServer((request, response) => {
    paths.push(request.url ?? "");
    tokens.push(request.headers.authorization);
    response.end("{}");
  });
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  clock = new FakeClock();
  const { port } = server.address() as AddressInfo;
  const access = { server: `http://127.0.0.1:${port}/k8s/c1`, credentials: () => credentials() };
  connection = new Connection(access, clock);
});

afterEach(async () => {
  await connection.close();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

async function read(): Promise<void> {
  const signal = new AbortController().signal;
  const answer = await connection.send({ method: "GET", path: "/version", headers: {}, signal });
  await answer.body.dump();
}

const withToken = (token: string, ca = "A"): Promise<Credentials> =>
  Promise.resolve({ headers: { authorization: token }, tls: { ca } });

describe("Connection", () => {
  it("keeps its pool while tokens rotate, and reads them again after 10 s", async () => {
    let reads = 0;
    credentials = () => withToken(`t${++reads}`);
    await read();
    await clock.advance(9999);
    await read();
    await clock.advance(1);
    await read();
    expect(tokens).toEqual(["t1", "t1", "t2"]);
    expect(connections).toBe(1);
  });

  it("builds a new pool when the CA changed", async () => {
    let ca = "A";
    credentials = () => withToken("t", ca);
    await read();
    ca = "B";
    await clock.advance(10_000);
    await read();
    // undici frees a socket one turn after the body's end.
    await clock.advance(0);
    await read();
    expect(connections).toBe(2);
  });

  it("keeps the path prefix of a proxied cluster", async () => {
    credentials = () => withToken("t");
    await read();
    expect(paths).toEqual(["/k8s/c1/version"]);
  });

  it("does not keep a failed read of credentials", async () => {
    credentials = () => Promise.reject(new Error("token file is being replaced"));
    await expect(read()).rejects.toThrow("token file is being replaced");
    credentials = () => withToken("t");
    await read();
    expect(tokens).toEqual(["t"]);
  });

  it("refuses to send after it was closed", async () => {
    credentials = () => withToken("t");
    await connection.close();
    await expect(read()).rejects.toMatchObject({ code: "Aborted" });
  });
});
