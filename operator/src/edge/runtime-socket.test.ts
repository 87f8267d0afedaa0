// Against a listener that misbehaves as told; agent.test.ts speaks to the real HAProxy.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RuntimeConnection } from "./runtime-socket.ts";

describe("RuntimeConnection", () => {
  let folder: string;
  let path: string;
  let server: Server;
  const lines: string[] = [];
  const sockets: Socket[] = [];
  let reply: (line: string, socket: Socket) => void;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "wsc-runtime-"));
    path = join(folder, "r.sock");
    lines.length = 0;
    reply = (line, socket) => socket.write(line === "prompt" ? "\n> " : `did ${line}\n\n> `);
    server = createServer((socket) => {
      sockets.push(socket);
      let pending = "";
      socket.on("error", () => socket.destroy());
      socket.on("data", (chunk) => {
        pending += chunk.toString();
        for (let end = pending.indexOf("\n"); end >= 0; end = pending.indexOf("\n")) {
          const line = pending.slice(0, end);
          pending = pending.slice(end + 1);
          lines.push(line);
          reply(line, socket);
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await rm(folder, { recursive: true });
  });

  it("gives each caller the answer to its own line, also in pieces and when asked all at once", async () => {
    const connection = await RuntimeConnection.open({ path });
    reply = (line, socket) => {
      socket.write(`one ${line}\n`);
      setImmediate(() => socket.write("two\n"));
      setImmediate(() => setImmediate(() => socket.write("\n> ")));
    };
    const answers = await Promise.all(["a", "b", "c"].map((line) => connection.send(line)));
    expect(answers).toEqual(["a", "b", "c"].map((line) => `one ${line}\ntwo\n`));
    expect(lines).toEqual(["prompt", "a", "b", "c"]);
    connection.close();
  });

  it("waits for as many prompts as a line has commands", async () => {
    const connection = await RuntimeConnection.open({ path });
    reply = (line, socket) => {
      if (!line.includes("; ")) return void socket.write(`did ${line}\n\n> `);
      socket.write("one\n> ");
      setImmediate(() => socket.write("two\n> "));
    };
    expect(await connection.send("a; b")).toBe("one\ntwo");
    expect(await connection.send("c")).toBe("did c\n");
    connection.close();
  });

  it("says so when nobody listens", async () => {
    const nowhere = join(folder, "nowhere.sock");
    await expect(RuntimeConnection.open({ path: nowhere })).rejects.toMatchObject({ code: "Unreachable" });
  });

  it("gives up on silence and trusts the connection no more", async () => {
    const connection = await RuntimeConnection.open({ path, timeoutMs: 50 });
    reply = () => {};
    await expect(connection.send("show info")).rejects.toMatchObject({ code: "Timeout" });
    expect(connection.isOpen).toBe(false);
    await expect(connection.send("show stat")).rejects.toMatchObject({ code: "Closed" });
  });

  it("fails the open command and tells once when the proxy goes away", async () => {
    const connection = await RuntimeConnection.open({ path });
    let ends = 0;
    connection.onEnd(() => ends++);
    reply = (_, socket) => socket.write("half of an ans", () => socket.destroy());
    await expect(connection.send("show stat")).rejects.toMatchObject({
      code: "Closed",
      message: 'cannot run "show stat" at the proxy: the connection ended first; the proxy restarted; program it again',
    });
    connection.close();
    expect(ends).toBe(1);
    connection.onEnd(() => ends++);
    expect(ends).toBe(2);
  });
});
