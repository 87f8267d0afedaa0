import { afterEach, describe, expect, it } from "vitest";
import { BrokerUnavailable } from "../broker/port.ts";
import { MemoryBroker } from "../testing/index.ts";
import { createStage } from "../testing/stage.ts";

const { server, connect, clear } = createStage();
afterEach(clear);

class LeaselessBroker extends MemoryBroker {
  isAway = true;
  override beat(...args: Parameters<MemoryBroker["beat"]>): ReturnType<MemoryBroker["beat"]> {
    return this.isAway ? Promise.reject(new BrokerUnavailable("away")) : super.beat(...args);
  }
}

describe("a pod that the store does not know", () => {
  it("takes no sessions, which others would take for abandoned, until its lease is stored", async () => {
    const broker = new LeaselessBroker();
    const pod = await server({ broker });
    const early = await connect(pod.url);
    early.hello();
    await early.find("err", ({ code }) => code === "unavailable");
    expect(await early.closed).toBe(4_100);
    broker.isAway = false;
    await expect.poll(() => pod.pod.isReady(), { timeout: 5_000 }).toBe(true);
    const late = await connect(pod.url);
    late.hello();
    expect(await late.find("welcome")).toMatchObject({ resumed: false });
  });

  it("says why it closes with the name of the table", async () => {
    const { url } = await server();
    const client = await connect(url);
    const reason = new Promise((resolve) => client.ws.on("close", (_, text) => resolve(text.toString())));
    client.send({ t: "ping", i: 1 });
    expect(await client.closed).toBe(4_000);
    expect(await reason).toBe("protocol-error");
  });
});
