// A client of several channels that goes away and comes back, on a raw socket: five thousand SDKs in one process would measure themselves.
import { type ServerFrame, SUBPROTOCOL } from "@wscluster/protocol";
import { RawSocket } from "../fanout/raw-socket.ts";
import { tokenFor } from "../rivals/token.ts";

const PER_ADDRESS = 5_000;

export type ResumerHooks = {
  /** The session is ready; whether it is the one from before. */
  readonly onReady: (isResumed: boolean) => void;
  /** Everything that was published is there. */
  readonly onCaughtUp: () => void;
};

export class Resumer {
  readonly channels: readonly string[];
  lost = 0;
  duplicated = 0;
  readonly #index: number;
  readonly #hooks: ResumerHooks;
  /** By channel: where it stands, and where the stream ends. */
  readonly #at = new Map<string, { epoch: string; offset: number }>();
  #wanted = 0;
  #missing = 0;
  #session = "";
  #secret = "";
  #isResumed = false;
  #socket: RawSocket | undefined;

  constructor(index: number, channels: readonly string[], hooks: ResumerHooks) {
    this.#index = index;
    this.channels = channels;
    this.#hooks = hooks;
  }

  /** @param missed messages of each channel that it does not have yet. */
  async connect(port: number, missed: number): Promise<void> {
    this.#wanted = missed;
    this.#missing = missed * this.channels.length;
    const socket = await RawSocket.open({
      port,
      path: "/ws",
      subprotocol: SUBPROTOCOL,
      localAddress: `127.0.0.${2 + Math.floor(this.#index / PER_ADDRESS)}`,
    });
    this.#socket = socket;
    socket.stream.onText = (payload) => this.#onFrame(JSON.parse(payload.toString()) as ServerFrame);
    socket.send(JSON.stringify(this.#hello()));
  }

  /** The connection breaks: no close frame. */
  cut(): void {
    this.#socket?.destroy();
  }

  // A resume carries no token: the session's secret has to be enough.
  #hello(): object {
    const name = `resume-${this.#index}`;
    const common = { t: "hello", producer: { id: name, gen: 1 }, caps: ["resume"] };
    if (this.#session === "") {
      return { ...common, token: tokenFor(name), sub: this.channels.map((c) => ({ c })) };
    }
    const pos = [...this.#at].map(([channel, { epoch, offset }]) => [channel, epoch, offset]);
    return { ...common, resume: { session: this.#session, secret: this.#secret, pos } };
  }

  #onFrame(frame: ServerFrame): void {
    switch (frame.t) {
      case "welcome":
        this.#session = frame.session;
        this.#secret = frame.secret ?? this.#secret;
        this.#isResumed = frame.resumed;
        return;
      case "sub.ok":
        if (!this.#at.has(frame.c)) this.#at.set(frame.c, { epoch: frame.e, offset: frame.o });
        return;
      case "pub":
        this.#take(frame.c, frame.o, frame.e);
        return;
      case "gap":
        this.lost += frame.to - frame.from;
        return;
      case "ready":
        this.#hooks.onReady(this.#isResumed);
        if (this.#wanted === 0) this.#hooks.onCaughtUp();
        return;
      case "err":
      case "bye":
      case "diverged":
        throw new Error(`nothing here is to be told by ${frame.t}: ${JSON.stringify(frame)}`);
      default:
    }
  }

  #take(channel: string, offset: number, epoch: string | undefined): void {
    const at = this.#at.get(channel);
    if (!at) return;
    if (offset <= at.offset) {
      this.duplicated += 1;
      return;
    }
    this.lost += offset - at.offset - 1;
    at.offset = offset;
    at.epoch = epoch ?? at.epoch;
    this.#missing -= 1;
    if (this.#missing === 0) this.#hooks.onCaughtUp();
  }
}
