import { spawnSync } from "node:child_process";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { SUBPROTOCOL } from "@wscluster/protocol";
import { createStage } from "../testing/stage.ts";
import { TlsFiles } from "./tls-files.ts";

const { server, clear } = createStage();
let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wsc-tls-"));
});
afterEach(async () => {
  await clear();
  await rm(folder, { recursive: true, force: true });
});

function makePair(name: string) {
  const [certFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const subject = ["-subj", `/CN=${name}`, "-days", "2"];
  const made = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-keyout", keyFile, "-out", certFile, ...subject],
  ]);
  expect(made.status, made.stderr?.toString()).toBe(0);
  return { certFile, keyFile };
}

/** Name in the certificate that a new connection is shown. */
async function shown(port: number): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

describe("TLS in the pod", () => {
  it("takes up a new certificate without a cut, and keeps the old one while the new does not fit", async () => {
    const [first, second] = [makePair("one"), makePair("two")];
    const problems: string[] = [];
    const tls = new TlsFiles({ ...first, everyMs: 10, onProblem: (problem) => problems.push(problem) });
    const a = await server({ tls });
    const ws = new WebSocket(`wss://127.0.0.1:${a.pod.port}/ws`, SUBPROTOCOL, { rejectUnauthorized: false });
    const frames: string[] = [];
    ws.on("message", (data: Buffer) => frames.push(data.toString()));
    await new Promise((resolve, reject) => ws.once("open", resolve).once("error", reject));
    ws.send('{"t":"hello","producer":{"id":"p","gen":1},"caps":[],"sub":[{"c":"room"}]}');
    await expect.poll(() => frames.some((text) => text.includes('"ready"'))).toBe(true);
    expect(await shown(a.pod.port)).toBe("one");
    await rename(second.certFile, first.certFile);
    await expect.poll(() => problems).toEqual(["the certificate and the key are not a pair"]);
    expect(await shown(a.pod.port)).toBe("one");
    await rename(second.keyFile, first.keyFile);
    await expect.poll(() => shown(a.pod.port)).toBe("two");
    ws.send('{"t":"pub","i":1,"c":"room","s":1,"d":"still here"}');
    await expect.poll(() => frames.some((text) => text.includes("still here"))).toBe(true);
    ws.terminate();
  });

  it("does not start without a usable pair, and says why", async () => {
    const { certFile } = makePair("one");
    const keyFile = join(folder, "none.key");
    await writeFile(keyFile, "no key");
    await expect(new TlsFiles({ certFile, keyFile, onProblem: () => {} }).first()).rejects.toThrow(keyFile);
  });
});
