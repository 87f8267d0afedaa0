// Client of HAProxy's runtime socket: one connection in prompt mode, commands one after the other. It knows lines, not meanings.
import { connect, type Socket } from "node:net";

const codes = {
  /** Nothing listens: the proxy starts, stops or is gone. */
  Unreachable: "start or wait for the proxy",
  /** No answer in time. The command may have been done. */
  Timeout: "look at the proxy's load",
  /** The connection ended before the answer did. The command may have been done. */
  Closed: "the proxy restarted; program it again",
} as const;

export type RuntimeErrorCode = keyof typeof codes;

export class RuntimeSocketError extends Error {
  override readonly name = "RuntimeSocketError";
  readonly code: RuntimeErrorCode;

  constructor(code: RuntimeErrorCode, what: string, why: string, cause?: unknown) {
    super(`cannot ${what}: ${why}; ${codes[code]}`, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

export type RuntimeSocketOptions = {
  readonly path: string;
  /** For connecting and for each command. Default 5,000. */
  readonly timeoutMs?: number;
};

const PROMPT = "\n> ";

type Waiter = {
  prompts: number;
  resolve: (text: string) => void;
  reject: (error: RuntimeSocketError) => void;
  what: string;
};

/** One connection. After an error it is closed and a new one must be opened. */
export class RuntimeConnection {
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  #received = "";
  #waiter: Waiter | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #ended = false;
  readonly #onEnd: (() => void)[] = [];

  private constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => this.#receive(chunk));
    socket.on("error", () => this.#end());
    socket.on("close", () => this.#end());
  }

  /** @throws RuntimeSocketError */
  static async open(options: RuntimeSocketOptions): Promise<RuntimeConnection> {
    const { path, timeoutMs = 5_000 } = options;
    const socket = await new Promise<Socket>((resolve, reject) => {
      const opening = connect(path);
      const fail = (code: RuntimeErrorCode, why: string, cause?: unknown): void => {
        clearTimeout(timer);
        opening.destroy();
        reject(new RuntimeSocketError(code, `connect to ${path}`, why, cause));
      };
      const timer = setTimeout(() => fail("Timeout", `no connection within ${timeoutMs} ms`), timeoutMs);
      opening.once("error", (error) => fail("Unreachable", error.message, error));
      opening.once("connect", () => {
        clearTimeout(timer);
        opening.removeAllListeners("error");
        resolve(opening);
      });
    });
    const connection = new RuntimeConnection(socket, timeoutMs);
    await connection.send("prompt");
    return connection;
  }

  get isOpen(): boolean {
    return !this.#ended;
  }

  /** Called once when the connection is over, whoever ended it; at once when it already is. */
  onEnd(listener: () => void): void {
    if (this.#ended) listener();
    else this.#onEnd.push(listener);
  }

  /**
   * Sends one line and gives what was printed, without the prompts; commands in it are parted by `; `. Whether it was obeyed is for the caller to read back:
   * the texts differ between versions. @throws RuntimeSocketError
   */
  send(line: string): Promise<string> {
    const turn = this.#turn.then(() => this.#exchange(line));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  close(): void {
    this.#socket.destroy();
    this.#end();
  }

  #exchange(line: string): Promise<string> {
    // The arguments name addresses and pods, nothing secret, but the verb is enough to find the place.
    const what = `run "${line.split(" ").slice(0, 2).join(" ")}" at the proxy`;
    if (this.#ended) return Promise.reject(new RuntimeSocketError("Closed", what, "the connection is over"));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiter = undefined;
        reject(new RuntimeSocketError("Timeout", what, `no answer within ${this.#timeoutMs} ms`));
        // A late answer would be taken for that of the next command.
        this.close();
      }, this.#timeoutMs);
      this.#received = "";
      this.#waiter = {
        what,
        prompts: line.split("; ").length,
        resolve: (text) => {
          clearTimeout(timer);
          resolve(text);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.#socket.write(`${line}\n`);
    });
  }

  #receive(chunk: string): void {
    this.#received += chunk;
    if (this.#waiter === undefined || !this.#received.endsWith(PROMPT)) return;
    const printed = this.#received.split(PROMPT);
    const { resolve, prompts } = this.#waiter;
    if (printed.length <= prompts) return;
    this.#waiter = undefined;
    resolve(printed.slice(0, -1).join("\n"));
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.reject(new RuntimeSocketError("Closed", waiter.what, "the connection ended first"));
    for (const listener of this.#onEnd.splice(0)) listener();
  }
}
