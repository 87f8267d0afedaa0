// The contract over HTTP for every simulated pod, each at a loopback address of its own, all in this process. What comes in is checked
// as a server checks it: signature, epoch, seq.
import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import {
  CONTRACT_PATHS,
  EDGE_PATHS,
  type Grant,
  type ModeRequest,
  signedText,
  WRITE_HEADERS,
} from "@wscluster/protocol";
import type { ServerPod, SimulatedFleet } from "./fleet.ts";

export type Endpoint = {
  readonly fleet: SimulatedFleet;
  readonly uid: string;
  /** Absent: an edge pod. */
  readonly pod: ServerPod | undefined;
};

/** As the server's admin port has it: who asks ends the connection, not who answers. */
const KEEP_ALIVE_MS = 75_000;

export class PodEndpoints {
  /** Requests that were answered. */
  requests = 0;
  /** Told of each accepted or refused write. */
  onWrite: (uid: string) => void = () => undefined;
  readonly #byAddress = new Map<string, Endpoint>();
  readonly #listeners = new Map<string, { readonly server: Server; readonly sockets: Set<Socket> }>();
  readonly #http = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    void this.#answer(request, response);
  });
  #last = 0;

  /** Address of a pod that listens from now on; none is given twice. */
  async open(endpoint: Endpoint, port: number): Promise<string> {
    this.#last += 1;
    const number = this.#last;
    const address = `127.${10 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
    const sockets = new Set<Socket>();
    const server = createTcpServer((socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      this.#http.emit("connection", socket);
    });
    server.listen(port, address);
    await once(server, "listening");
    this.#byAddress.set(address, endpoint);
    this.#listeners.set(address, { server, sockets });
    return address;
  }

  close(address: string): void {
    const listener = this.#listeners.get(address);
    listener?.server.close();
    for (const socket of listener?.sockets ?? []) socket.destroy();
    this.#listeners.delete(address);
    this.#byAddress.delete(address);
  }

  closeAll(): void {
    for (const address of [...this.#listeners.keys()]) this.close(address);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return;
    }
    this.requests += 1;
    const endpoint = this.#byAddress.get(request.socket.localAddress ?? "");
    const { status, body } =
      endpoint === undefined ? { status: 404, body: {} } : answerFor(endpoint, request, Buffer.concat(chunks));
    if (request.method === "POST" && endpoint !== undefined) this.onWrite(endpoint.uid);
    const text = JSON.stringify(body);
    response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    response.end(text);
  }
}

type Answer = { readonly status: number; readonly body: unknown };

function answerFor({ fleet, uid, pod }: Endpoint, request: IncomingMessage, body: Buffer): Answer {
  const path = request.url ?? "";
  const nowMs = performance.now();
  if (pod === undefined) {
    return path === EDGE_PATHS.state ? { status: 200, body: fleet.edgeStateOf(uid) } : { status: 404, body: {} };
  }
  if (request.method === "GET") {
    return path === CONTRACT_PATHS.state ? { status: 200, body: fleet.stateOf(pod, nowMs) } : { status: 404, body: {} };
  }
  if (path !== CONTRACT_PATHS.mode && path !== CONTRACT_PATHS.grants) return { status: 404, body: {} };
  const [epoch, seq] = [Number(request.headers[WRITE_HEADERS.epoch]), Number(request.headers[WRITE_HEADERS.seq])];
  const signed = signedText({
    method: "POST",
    path,
    bodySha256: createHash("sha256").update(body).digest("hex"),
    podUid: uid,
    bootNonce: `boot-${pod.key}`,
    epoch,
    seq,
  });
  const wanted = createHmac("sha256", fleet.adminKey ?? "")
    .update(signed)
    .digest("hex");
  if (request.headers[WRITE_HEADERS.signature] !== wanted) {
    return { status: 401, body: { ok: false, code: "bad-signature", message: "", epoch: pod.epoch, seq: pod.seq } };
  }
  const answer = fleet.write(pod, epoch, seq, JSON.parse(body.toString("utf8")) as Grant | ModeRequest, nowMs);
  return { status: answer.ok ? 200 : 409, body: answer };
}
