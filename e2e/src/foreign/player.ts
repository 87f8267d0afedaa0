// Plays a score against real servers over a memory store and writes down what was said. Not here: scores (scores.ts).

import { WebSocket } from "ws";
import { SUBPROTOCOL } from "@wscluster/protocol";
import type { ServerFrame } from "@wscluster/protocol";
import { MemoryStore, startServer } from "@wscluster/server/testing";
import type { TestServer } from "@wscluster/server/testing";
import type { Conversation, Head, Line, Score, StageStep, Step } from "./conversation.ts";
import { Placeholders } from "./placeholders.ts";

const WAIT_MS = 5_000;

export class ConversationError extends Error {
  readonly code = "conversation";
}

export async function playScore(head: Head, score: Score): Promise<Conversation> {
  const stage = await Stage.start(head, score);
  try {
    const lines: Line[] = [];
    for (const step of score) lines.push(await stage.play(step));
    stage.assertSilence();
    return { head, lines };
  } finally {
    await stage.stop();
  }
}

class Stage {
  readonly #store = new MemoryStore();
  readonly #names = new Placeholders();
  readonly #servers = new Map<string, TestServer>();
  readonly #sockets = new Map<string, Listener>();
  #snapshot: ReturnType<MemoryStore["snapshot"]> | undefined;

  static async start(head: Head, score: Score): Promise<Stage> {
    const stage = new Stage();
    const targets = score.flatMap((step) => ("stage" in step && step.stage === "move" ? [step.to] : []));
    const opened = score.flatMap((step) => ("open" in step ? [step.server] : []));
    for (const name of new Set([...opened, ...targets])) {
      const settings = head.settings ? { settings: head.settings } : {};
      const server = await startServer({ broker: stage.#store, ...settings });
      stage.#servers.set(name, server);
      stage.#names.bind(name, server.podKey);
    }
    return stage;
  }

  async play(step: Score[number]): Promise<Line> {
    if ("stage" in step) return this.#change(step);
    if ("open" in step) return this.#open(step);
    if ("client" in step) {
      this.#socket(step.client).ws.send(JSON.stringify(this.#names.filled(step.frame)));
      return step;
    }
    if ("close" in step) {
      this.#socket(step.close).ws.close(step.code);
      return step;
    }
    if ("closed" in step) return { closed: step.closed, code: await this.#socket(step.closed).closed() };
    const frame = await this.#socket(step.server).next(step.t);
    return { server: step.server, frame: this.#names.named(frame) };
  }

  /** Nothing came that the score does not know. */
  assertSilence(): void {
    for (const [name, socket] of this.#sockets) {
      const left = socket.frames[0];
      if (left) throw new ConversationError(`cannot end: ${name} got ${JSON.stringify(left)}, which nobody expected`);
    }
  }

  async stop(): Promise<void> {
    for (const { ws } of this.#sockets.values()) ws.terminate();
    await Promise.all([...this.#servers.values()].map((server) => server.stop()));
  }

  async #open(step: Extract<Step, { readonly open: string }>): Promise<Line> {
    const url = new URL(this.#server(step.server).url);
    for (const [key, value] of Object.entries(step.query ?? {})) url.searchParams.set(key, this.#names.value(value));
    const ws = new WebSocket(url, SUBPROTOCOL, { perMessageDeflate: false });
    this.#sockets.set(step.open, new Listener(step.open, ws));
    await new Promise((resolve, reject) => ws.once("open", resolve).once("error", reject));
    return step;
  }

  #change(step: StageStep): Line {
    switch (step.stage) {
      case "move": {
        const id = this.#server(step.server).forceMove(this.#names.value(step.session), this.#server(step.to));
        if (id === undefined) throw new ConversationError(`cannot move ${step.session}: ${step.server} has it not`);
        return step;
      }
      case "cut":
        this.#server(step.server).breakSocket(this.#names.value(step.session));
        return step;
      case "replica-stops":
        this.#snapshot = this.#store.snapshot();
        return step;
      case "fail-over":
        this.#store.failOver(this.#snapshot ?? this.#store.snapshot());
        return step;
    }
  }

  #socket(name: string): Listener {
    return this.#sockets.get(name) ?? unknown("socket", name);
  }

  #server(name: string): TestServer {
    return this.#servers.get(name) ?? unknown("server", name);
  }
}

function unknown(kind: string, name: string): never {
  throw new ConversationError(`cannot go on: no ${kind} is called ${name}; open it first`);
}

class Listener {
  readonly ws: WebSocket;
  readonly frames: ServerFrame[] = [];
  readonly #name: string;
  #code: number | undefined;
  #wake: () => void = () => {};

  constructor(name: string, ws: WebSocket) {
    this.#name = name;
    this.ws = ws;
    ws.on("error", () => {});
    ws.on("message", (data) => {
      if (Buffer.isBuffer(data)) this.frames.push(JSON.parse(data.toString()) as ServerFrame);
      this.#wake();
    });
    ws.on("close", (code) => {
      this.#code = code;
      this.#wake();
    });
  }

  async next(t: ServerFrame["t"]): Promise<ServerFrame> {
    await this.#until(() => this.frames.length > 0, t);
    const frame = this.frames.shift();
    if (frame?.t === t) return frame;
    throw new ConversationError(`cannot go on: ${this.#name} should get ${t} and got ${JSON.stringify(frame)}`);
  }

  async closed(): Promise<number> {
    await this.#until(() => this.#code !== undefined, "its end");
    return this.#code ?? 0;
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    const endMs = performance.now() + WAIT_MS;
    while (!isSo()) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) throw new ConversationError(`cannot go on: ${this.#name} waited ${WAIT_MS} ms for ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
