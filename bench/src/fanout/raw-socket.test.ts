import { describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { clientFrame, RawSocket } from "./raw-socket.ts";

describe("raw socket", () => {
  it("masks what it sends", () => {
    const frame = clientFrame(1, Buffer.from("hello"));
    expect([...frame.subarray(0, 2)]).toEqual([0x81, 0x80 | 5]);
    const mask = frame.subarray(2, 6);
    expect(Buffer.from(frame.subarray(6).map((byte, index) => byte ^ (mask[index & 3] ?? 0))).toString()).toBe("hello");
  });

  it("talks to a server: what it sends arrives, what comes back is counted", async () => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", path: "/ws" });
    server.on("connection", (client) => {
      client.on("message", (data) => {
        client.ping("alive?");
        for (let index = 0; index < 3; index += 1) client.send(`${String(data)}${"!".repeat(200)}`);
      });
      client.on("pong", (data) => client.send(`pong ${String(data)}`));
    });
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    let messages = 0;
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = await RawSocket.open({
      port,
      path: "/ws",
      messageBytes: 100,
      onMessages: (count) => (messages += count),
    });
    const texts: string[] = [];
    socket.stream.onText = (payload) => {
      texts.push(payload.toString());
      if (texts.length === 4) resolve(payload.toString());
    };
    socket.send("x".repeat(300));
    expect(await promise).toBe("pong alive?");
    expect(messages).toBe(3);
    expect(texts[0]).toBe("x".repeat(300) + "!".repeat(200));
    socket.destroy();
    await new Promise((done) => server.close(done));
  });

  it("tells why it could not be opened", async () => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", verifyClient: () => false });
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    await expect(RawSocket.open({ port, path: "/ws" })).rejects.toThrow("HTTP/1.1 401 Unauthorized");
    await new Promise((done) => server.close(done));
  });
});
