import { afterEach, describe, expect, it } from "vitest";
import { MemoryStore } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";
import { changesSince } from "./channel-changes.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

describe("changesSince", () => {
  it("finds what came and what went, and leaves alone what is served", () => {
    const served = new Set(["kept", "gone", "named"]);
    expect(changesSince(["kept", "gone"], ["kept", "new", "named"], served)).toEqual({
      added: ["new"],
      ended: ["gone"],
    });
  });
});

describe("a move during which the client changes its channels on the old socket", () => {
  it("ends with the channels that it had at the commit", async () => {
    const store = new MemoryStore();
    const [a, b] = [await server({ broker: store }), await server({ broker: store })];
    const old = await connect(a.url);
    old.hello({ sub: [{ c: "kept" }, { c: "gone" }] });
    const { session, secret = "" } = await old.find("welcome");
    await old.find("ready");
    a.forceMove(session, b);
    const migrate = await old.find("migrate");
    const next = await connect(b.url, migrate);
    next.hello({ resume: { session, secret, pos: [] }, ticket: migrate.ticket, prepare: true });
    await next.find("ready");
    old.send({ t: "sub", i: 1, c: "new" });
    old.send({ t: "unsub", i: 2, c: "gone" });
    await Promise.all([old.find("sub.ok", ({ i }) => i === 1), old.find("unsub.ok")]);
    next.send({ t: "commit", i: 3 });
    await next.find("commit.ok");
    expect(next.frames.find((frame) => frame.t === "sub.ok" && frame.c === "new")).toMatchObject({ i: 0, o: 0 });
    const writer = await connect(a.url);
    writer.hello({ producer: { id: "w", gen: 1 } });
    for (const [i, c] of ["gone", "new", "kept"].entries()) writer.send({ t: "pub", i, c, s: 1, d: c });
    await next.find("pub", ({ c }) => c === "kept");
    await next.find("pub", ({ c }) => c === "new");
    next.send({ t: "ping", i: 9 });
    await next.find("pong");
    expect(next.publications("gone")).toEqual([]);
  });
});
