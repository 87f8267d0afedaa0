// A client that comes back by the SDK's rules, on a raw socket: ten thousand SDKs in one process would measure themselves.
import { reconnectDelayMs, SUBPROTOCOL, type ServerFrame, type Window } from "@wscluster/protocol";
import { RawSocket } from "../fanout/raw-socket.ts";
import { tokenFor } from "../rivals/token.ts";

export type ReturnerHooks = {
  readonly port: () => number;
  readonly random: () => number;
  readonly onAttempt: () => void;
  readonly onRefused: () => void;
  readonly onReady: (resumed: boolean) => void;
};

const PER_ADDRESS = 5_000;

export class Returner {
  lost = 0;
  duplicated = 0;
  offset = 0;
  readonly channel: string;
  readonly #index: number;
  readonly #hooks: ReturnerHooks;
  #epoch = "";
  #session = "";
  #secret = "";
  #resumed = false;
  #attempt = 0;
  #window: Window | undefined;
  #socket: RawSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(index: number, channel: string, hooks: ReturnerHooks) {
    this.#index = index;
    this.channel = channel;
    this.#hooks = hooks;
  }

  /** One attempt; what comes after it follows by itself. */
  async connect(): Promise<void> {
    this.#hooks.onAttempt();
    // A connection that closes before it is open is told by the rejection.
    let socket: RawSocket | undefined;
    try {
      socket = await RawSocket.open({
        port: this.#hooks.port(),
        path: "/ws",
        subprotocol: SUBPROTOCOL,
        localAddress: `127.0.0.${2 + Math.floor(this.#index / PER_ADDRESS)}`,
        onClosed: () => {
          if (socket !== undefined && this.#socket === socket) this.#again();
        },
      });
      if (this.#isOver) {
        socket.destroy();
        return;
      }
      this.#socket = socket;
      socket.stream.onText = (payload) => this.#onFrame(JSON.parse(payload.toString()) as ServerFrame);
      socket.send(JSON.stringify(this.#hello()));
    } catch {
      this.#hooks.onRefused();
      this.#again();
    }
  }

  #hello(): object {
    const common = {
      t: "hello",
      token: tokenFor(`storm-${this.#index}`),
      producer: { id: `storm-${this.#index}`, gen: 1 },
      caps: ["resume"],
    };
    if (this.#session === "") return { ...common, sub: [{ c: this.channel }] };
    const pos = [[this.channel, this.#epoch, this.offset]];
    return { ...common, resume: { session: this.#session, secret: this.#secret, pos } };
  }

  #onFrame(frame: ServerFrame): void {
    switch (frame.t) {
      case "welcome":
        this.#session = frame.session;
        this.#secret = frame.secret ?? this.#secret;
        this.#resumed = frame.resumed;
        return;
      case "sub.ok":
        if (this.#epoch === "") this.offset = frame.o;
        this.#epoch = frame.e;
        return;
      case "pub":
        if (frame.o <= this.offset) this.duplicated += 1;
        else this.lost += frame.o - this.offset - 1;
        this.offset = Math.max(this.offset, frame.o);
        this.#epoch = frame.e ?? this.#epoch;
        return;
      case "gap":
        this.lost += Math.max(0, frame.to - this.offset);
        this.offset = frame.to;
        this.#epoch = frame.e;
        return;
      case "bye":
        this.#window = { minMs: frame.minMs, maxMs: frame.maxMs };
        return;
      case "ready":
        this.#attempt = 0;
        this.#window = undefined;
        this.#hooks.onReady(this.#resumed);
        return;
      case "diverged":
      case "err":
        throw new Error(`a storm has no ${frame.t}: ${JSON.stringify(frame)}`);
      default:
    }
  }

  #again(): void {
    if (this.#isOver) return;
    this.#socket = undefined;
    const delayMs = reconnectDelayMs(this.#attempt, this.#hooks.random(), this.#window);
    this.#attempt += 1;
    this.#timer = setTimeout(() => void this.connect(), delayMs);
  }

  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }
}
