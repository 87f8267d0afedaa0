// What a move would do, asked at a real server and compared with what a grant then does.
import { afterEach, describe, expect, it } from "vitest";
import { CONTRACT_PATHS, WRITE_HEADERS } from "@wscluster/protocol";
import type { MovePlanAnswer, MovePlanRequest } from "@wscluster/protocol";
import { sha256Hex, signWrite } from "@wscluster/platform";
import { MemoryStore, TEST_ADMIN_KEY } from "../testing/index.ts";
import type { TestServer } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

async function ask(of: TestServer, request: MovePlanRequest | string, key = TEST_ADMIN_KEY) {
  const body = typeof request === "string" ? request : JSON.stringify(request);
  const path = CONTRACT_PATHS.plan;
  const { podUid, bootNonce } = of.pod;
  const signed = { method: "POST", path, bodySha256: sha256Hex(body), podUid, bootNonce, epoch: 0, seq: 0 };
  const headers = { [WRITE_HEADERS.epoch]: "0", [WRITE_HEADERS.seq]: "0" };
  const response = await fetch(of.adminUrl + path, {
    method: "POST",
    body,
    headers: { ...headers, [WRITE_HEADERS.signature]: signWrite(key, signed) },
  });
  return { status: response.status, answer: (await response.json()) as MovePlanAnswer };
}

describe("the plan of a move", () => {
  it("names those who would go where, in the order in which a grant asks them, and moves nobody", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    for (const [user, caps] of [
      ["ann", ["migrate", "resume"]],
      ["bob", ["resume"]],
      ["cy", ["migrate", "resume"]],
    ] as const) {
      const client = await connect(a.url);
      client.hello({ user, caps, sub: [{ c: "news" }] });
      await client.find("ready");
    }
    const targets = [{ pod: b.podKey, count: 2 }];
    const { status, answer } = await ask(a, { targets });
    expect(status).toBe(200);
    expect(answer).toMatchObject({ pod: a.podKey, connections: 3 });
    expect(answer.moves.map(({ user, can, channels, to }) => [user, can, channels, to])).toEqual([
      ["ann", "migrate", 1, b.podKey],
      ["cy", "migrate", 1, b.podKey],
      ["bob", "resume", 1, undefined],
    ]);
    expect(await a.state()).toMatchObject({ connections: 3, moving: 0, seq: 0, refusedWrites: 0, receipts: {} });
  });

  it("is told to nobody without the key, and not for nonsense", async () => {
    const a = await server();
    expect((await ask(a, { targets: [] }, "another-key")).status).toBe(401);
    expect((await fetch(a.adminUrl + CONTRACT_PATHS.plan, { method: "POST", body: '{"targets":[]}' })).status).toBe(
      401,
    );
    for (const body of ["", "{}", '{"targets":[{"pod":"","count":1}]}', '{"targets":[],"more":1}']) {
      expect((await ask(a, body)).status).toBe(400);
    }
  });
});
