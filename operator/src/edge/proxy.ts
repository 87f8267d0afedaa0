// The proxy as the agent sees it, over one runtime connection that stays open: its end is how a restart is noticed at once.
// Not here: what the proxy should have.
import type { AdmissionProxy, ProxyAdmission } from "./brake.ts";
import { BRAKE, DEFAULT_WINDOW_MS, PROXY, SHARE_MAP } from "./haproxy-config.ts";
import { commandText, type EdgeCommand, type ProxyServer } from "./reconcile.ts";
import {
  parseArrivals,
  parseVariable,
  parseClientSessions,
  parseInfo,
  parseServersState,
  parseStat,
} from "./runtime-output.ts";
import { parseShare, type ProxyShare, type ProxyShareState, shareEntries } from "./share.ts";
import { RuntimeConnection, RuntimeSocketError, type RuntimeSocketOptions } from "./runtime-socket.ts";

export type ProxyView = {
  readonly servers: readonly ProxyServer[];
  readonly share: ProxyShareState;
  /** Client connections now. */
  readonly connections: number;
  /** What the limit of open files leaves, HAProxy's own figure. */
  readonly connectionLimit: number;
};

export interface Proxy {
  /** @throws RuntimeSocketError */
  read(): Promise<ProxyView>;
  /** Gives what the proxy printed; whether it was done is read back. @throws RuntimeSocketError */
  run(command: EdgeCommand): Promise<string>;
  /** Leads a part of the unnamed arrivals to these servers, or none. @throws RuntimeSocketError */
  setShare(share: ProxyShare | undefined): Promise<void>;
  /** Stops or resumes listening for clients; what is connected stays. @throws RuntimeSocketError */
  setAccepting(accepting: boolean): Promise<void>;
  /** Ends up to so many client connections; their clients come back through another edge. @throws RuntimeSocketError */
  endClients(count: number): Promise<void>;
  /** Called each time the proxy went away. */
  onLost(handler: () => void): void;
  /** For good. */
  close(): void;
}

export class HaproxyProxy implements Proxy, AdmissionProxy {
  readonly #options: RuntimeSocketOptions;
  readonly #lost: (() => void)[] = [];
  #connection: RuntimeConnection | undefined;
  #opening: Promise<RuntimeConnection> | undefined;
  #accepting = true;
  #closed = false;

  constructor(options: RuntimeSocketOptions) {
    this.#options = options;
  }

  async read(): Promise<ProxyView> {
    const connection = await this.#open();
    const info = parseInfo(await connection.send("show info"));
    if (info.get("Stopping") === "1") {
      // Our own connection would keep a proxy alive that waits for its last one to end.
      connection.close();
      throw new RuntimeSocketError("Closed", "read the proxy", "it is stopping");
    }
    const servers = parseServersState(await connection.send(`show servers state ${PROXY.backend}`));
    const stats = parseStat(await connection.send("show stat -1 5 -1"));
    const share = parseShare(await connection.send(`show map ${SHARE_MAP.id}`));
    const sessions = new Map<string, number>();
    let connections = 0;
    for (const stat of stats) {
      if (stat.proxy === PROXY.backend) sessions.set(stat.server, stat.connections);
      if (stat.proxy === PROXY.frontend && stat.server === "FRONTEND") connections = stat.connections;
    }
    return {
      servers: servers.map((server) => ({ ...server, sessions: sessions.get(server.key) ?? 0 })),
      share,
      connections,
      connectionLimit: Number(info.get("Maxconn") ?? 0),
    };
  }

  async run(command: EdgeCommand): Promise<string> {
    return (await this.#open()).send(commandText(command));
  }

  async setShare(share: ProxyShare | undefined): Promise<void> {
    const connection = await this.#open();
    // A transaction: no arrival ever sees half a map. Whether it was done is read back.
    const version = /\d+/.exec(await connection.send(`prepare map ${SHARE_MAP.id}`))?.[0];
    if (version === undefined) return;
    if (share !== undefined) {
      // The payload ends with an empty line.
      await connection.send(`add map @${version} ${SHARE_MAP.id} <<\n${shareEntries(share).join("\n")}\n`);
    }
    await connection.send(`commit map @${version} ${SHARE_MAP.id}`);
  }

  async readAdmission(): Promise<ProxyAdmission> {
    const connection = await this.#open();
    const limit = parseVariable(await connection.send(`get var ${BRAKE.limit}`));
    const rates = parseArrivals(await connection.send(`show table ${BRAKE.table}`));
    return limit === undefined || rates === undefined ? "unsupported" : { limitPerSecond: limit, ...rates };
  }

  async setAdmission({ limitPerSecond, windowMs }: { limitPerSecond: number; windowMs: number }): Promise<void> {
    const connection = await this.#open();
    const retryAfter = Math.max(1, Math.ceil((windowMs === 0 ? DEFAULT_WINDOW_MS : windowMs) / 1_000));
    for (const [name, value] of [
      [BRAKE.limit, limitPerSecond],
      [BRAKE.window, windowMs],
      [BRAKE.retryAfter, retryAfter],
    ] as const) {
      // The mode belongs to the connection; versions that do not ask for it any more take it all the same.
      await connection.send(`experimental-mode on; set var ${name} int(${Math.round(value)})`);
    }
  }

  async setAccepting(accepting: boolean): Promise<void> {
    this.#accepting = accepting;
    await (await this.#open()).send(acceptingText(accepting));
  }

  async endClients(count: number): Promise<void> {
    const connection = await this.#open();
    const sessions = parseClientSessions(await connection.send("show sess")).slice(0, count);
    for (const session of sessions) await connection.send(`shutdown session ${session}`);
  }

  onLost(handler: () => void): void {
    this.#lost.push(handler);
  }

  close(): void {
    this.#closed = true;
    this.#connection?.close();
  }

  async #open(): Promise<RuntimeConnection> {
    if (this.#connection?.isOpen === true) return this.#connection;
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #connect(): Promise<RuntimeConnection> {
    if (this.#closed) throw new RuntimeSocketError("Closed", "speak to the proxy", "the agent stops");
    const connection = await RuntimeConnection.open(this.#options);
    // A former agent may have stopped the listener and then been restarted alone.
    await connection.send(acceptingText(this.#accepting));
    this.#connection = connection;
    connection.onEnd(() => {
      if (!this.#closed) for (const handler of this.#lost) handler();
    });
    return connection;
  }
}

function acceptingText(accepting: boolean): string {
  return `${accepting ? "enable" : "disable"} frontend ${PROXY.frontend}`;
}
