import { afterEach, describe, expect, it } from "vitest";
import { MemoryStore } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

describe("the connections of a user", () => {
  it("are found on all pods, follow moves, and are gone with their socket or their pod", async () => {
    const store = new MemoryStore();
    const [a, b, c] = [
      await server({ broker: store }),
      await server({ broker: store }),
      await server({ broker: store }),
    ];
    const open = async (url: string, user: string, device: string) => {
      const client = await connect(url);
      client.hello({ user, device });
      const welcome = await client.find("welcome");
      await client.find("ready");
      return { client, welcome };
    };
    const phone = await open(a.url, "ann", "phone");
    const laptop = await open(b.url, "ann", "laptop");
    await open(b.url, "bob", "desk");
    const found = async (on = c) =>
      (await on.pod.connectionsOf("default", "ann"))
        .map(({ device, pod }) => [device, pod])
        .toSorted((one, other) => String(one[0]).localeCompare(String(other[0])));
    expect(await found()).toEqual([
      ["laptop", b.podKey],
      ["phone", a.podKey],
    ]);
    expect(await found(a)).toEqual(await found());
    a.forceMove(phone.welcome.session, c);
    const migrate = await phone.client.find("migrate");
    const next = await connect(c.url, migrate);
    const { session, secret = "" } = phone.welcome;
    next.hello({ resume: { session, secret, pos: [] }, ticket: migrate.ticket, prepare: true });
    await next.find("ready");
    expect(await found()).toContainEqual(["phone", a.podKey]);
    next.send({ t: "commit", i: 1 });
    await next.find("commit.ok");
    expect(await found(a)).toContainEqual(["phone", c.podKey]);
    // Broken, and not back yet.
    laptop.client.ws.terminate();
    await expect.poll(() => found()).toEqual([["phone", c.podKey]]);
    await c.kill();
    expect(await found(a)).toEqual([]);
    expect(await a.pod.connectionsOf("default", "nobody")).toEqual([]);
  });
});
