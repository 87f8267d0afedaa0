// The store in memory: one process, shared by any number of in-process pods (tests), with a model of a failover that loses writes.
// Not here: anything that outlives the process.

import { randomBytes } from "node:crypto";
import { DEFAULT_POLICY, FORGET_POD_MS, MAX_LIVES, ONCE_MS, historyOf } from "./port.ts";
import type { Position } from "@wscluster/protocol";
import type {
  Broker,
  BrokerListener,
  BrokerPolicy,
  CursorStore,
  HeldStreams,
  ControlMessage,
  Life,
  LoadedSession,
  Page,
  PodEntry,
  PodLease,
  Publication,
  PublishRequest,
  PublishResult,
  ReceiptOf,
  SessionRow,
} from "./port.ts";
import { MemoryPresence } from "./memory-presence.ts";
import type { PresencePlace } from "./memory-presence.ts";
import { receiptField, receiptTotals } from "./receipt-totals.ts";
import { BrokerUnavailable } from "./port.ts";

type ProducerState = { readonly gen: number; readonly seq: number; readonly offset: number };

type StoredStream = {
  epoch: string;
  top: number;
  /** First offset of the present life. */
  start: number;
  replid: string;
  lives: Life[];
  lastTs: number;
  producers: Map<string, ProducerState>;
  once: Map<string, { readonly epoch: string; readonly offset: number; readonly atMs: number }>;
  items: Publication[];
};

type StoredSession = {
  row: SessionRow;
  lastMove?: string;
  pending?: { readonly g: number; readonly target: string; readonly untilMs: number };
};

/** The data that pods share. */
export class MemoryStore {
  replid = newId();
  readonly streams = new Map<string, StoredStream>();
  readonly sessions = new Map<string, StoredSession>();
  readonly cursors = new Map<string, Position>();
  readonly places = new Map<string, PresencePlace>();
  readonly receiptCounts = new Map<string, number>();
  readonly leases = new Map<string, { lease: PodLease; at: number }>();
  readonly members = new Set<MemoryBroker>();
  /** While true every call fails as if the store did not answer. */
  away = false;
  readonly now: () => number;

  constructor(now: () => number = Date.now) {
    this.now = now;
  }

  /** A copy of the streams, for `failOver`. */
  snapshot(): ReadonlyMap<string, StoredStream> {
    return new Map(
      [...this.streams].map(([name, stream]) => [
        name,
        {
          ...stream,
          lives: [...stream.lives],
          producers: new Map(stream.producers),
          once: new Map(stream.once),
          items: [...stream.items],
        },
      ]),
    );
  }

  /** Promotion of a replica that had seen only the snapshot: later writes are lost and the next use of a stream starts a new life. */
  failOver(snapshot: ReadonlyMap<string, StoredStream>): void {
    this.replid = newId();
    this.streams.clear();
    for (const [name, stream] of snapshot) {
      this.streams.set(name, {
        ...stream,
        lives: [...stream.lives],
        producers: new Map(stream.producers),
        once: new Map(stream.once),
        items: [...stream.items],
      });
    }
    for (const member of this.members) member.listener?.resync();
  }

  live(name: string): StoredStream {
    let stream = this.streams.get(name);
    if (!stream) {
      stream = {
        epoch: newId(),
        top: 0,
        start: 1,
        replid: this.replid,
        lives: [],
        lastTs: 0,
        producers: new Map(),
        once: new Map(),
        items: [],
      };
      this.streams.set(name, stream);
    } else if (stream.replid !== this.replid) {
      stream.lives = [...stream.lives, [stream.epoch, stream.top] as const].slice(-MAX_LIVES);
      stream.epoch = newId();
      stream.start = stream.top + 1;
      stream.replid = this.replid;
    }
    return stream;
  }
}

function judgeNumber(
  stream: StoredStream,
  { producer, gen, seq, gaps }: Exclude<PublishRequest, { readonly key: string }>,
): PublishResult | undefined {
  const known = stream.producers.get(producer);
  if (known && gen < known.gen) return { kind: "fenced" };
  const last = known && known.gen === gen ? known.seq : 0;
  if (seq <= last) {
    return { kind: "dup", epoch: stream.epoch, offset: known && seq === last ? known.offset : 0 };
  }
  return seq > last + 1 && !gaps ? { kind: "out-of-order", last } : undefined;
}

function newId(): string {
  return randomBytes(6).toString("hex");
}

export type MemoryBrokerOptions = {
  readonly store?: MemoryStore;
  readonly policy?: () => BrokerPolicy;
  /** Faults of tests: true = this pod does not hear the publication. */
  readonly drops?: (publication: Publication) => boolean;
};

export class MemoryBroker implements Broker {
  readonly store: MemoryStore;
  readonly shared: boolean;
  readonly presence: MemoryPresence;
  readonly cursors: CursorStore = {
    get: async (stream, name) => {
      this.#reach();
      return this.store.cursors.get(`${stream}\n${name}`);
    },
    advance: async (stream, name, position) => {
      this.#reach();
      const known = this.store.cursors.get(`${stream}\n${name}`);
      if (known?.epoch === position.epoch && known.offset >= position.offset) return;
      this.store.cursors.set(`${stream}\n${name}`, position);
    },
  };
  listener: BrokerListener | undefined;
  readonly #policy: () => BrokerPolicy;
  readonly #drops: (publication: Publication) => boolean;
  readonly #subscribed = new Set<string>();
  #heard: Publication[] = [];
  #key: string | undefined;

  constructor(options: MemoryBrokerOptions = {}) {
    this.store = options.store ?? new MemoryStore();
    this.shared = options.store !== undefined;
    this.#policy = options.policy ?? (() => DEFAULT_POLICY);
    this.#drops = options.drops ?? (() => false);
    this.presence = new MemoryPresence({
      places: this.store.places,
      reach: () => this.#reach(),
      tell: (event) => {
        for (const member of this.store.members) {
          if (member.#subscribed.has(event.place)) setImmediate(() => member.listener?.presence?.(event));
        }
      },
      subscribe: (place) => this.subscribe(place),
      unsubscribe: (place) => this.unsubscribe(place),
    });
  }

  start(listener: BrokerListener): Promise<void> {
    this.listener = listener;
    this.store.members.add(this);
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.store.members.delete(this);
    this.listener = undefined;
    return Promise.resolve();
  }

  publish(request: PublishRequest): Promise<PublishResult> {
    if (this.store.away) return Promise.resolve({ kind: "unavailable" });
    return Promise.resolve(this.#publishNow(request));
  }

  #publishNow(request: PublishRequest): PublishResult {
    const { stream: name, user, data } = request;
    const stream = this.store.live(name);
    const refused = "key" in request ? this.#judgeKey(stream, request.key) : judgeNumber(stream, request);
    if (refused) return refused;
    const offset = stream.top + 1;
    const before = stream.lives.at(-1);
    stream.lastTs = Math.max(stream.lastTs, this.store.now() * 1_000);
    const publication: Publication = {
      stream: name,
      epoch: stream.epoch,
      offset,
      ...(offset === stream.start ? { prev: { epoch: before?.[0] ?? "", offset: before?.[1] ?? 0 } } : {}),
      ts: stream.lastTs,
      user,
      ...(request.trace === undefined ? {} : { trace: request.trace }),
      data: Buffer.from(data),
    };
    stream.top = offset;
    stream.items.push(publication);
    const history = historyOf(this.#policy(), name);
    if (stream.items.length > history.maxLength) stream.items.splice(0, stream.items.length - history.maxLength);
    if ("key" in request) stream.once.set(request.key, { epoch: stream.epoch, offset, atMs: this.store.now() });
    else stream.producers.set(request.producer, { gen: request.gen, seq: request.seq, offset });
    for (const member of this.store.members) member.#hear(publication);
    return { kind: "stored", epoch: stream.epoch, offset };
  }

  #judgeKey(stream: StoredStream, key: string): PublishResult | undefined {
    const oldest = this.store.now() - ONCE_MS;
    for (const [old, { atMs }] of stream.once) {
      if (atMs > oldest) break;
      stream.once.delete(old);
    }
    const known = stream.once.get(key);
    return known && { kind: "dup", epoch: known.epoch, offset: known.offset };
  }

  // Delivered later, as over a network: a subscriber must never rely on hearing its own publication before the answer.
  #hear(publication: Publication): void {
    if (!this.#subscribed.has(publication.stream) || this.#drops(publication)) return;
    // One turn for all that were published in this one.
    if (this.#heard.push(publication) === 1) setImmediate(this.#tellHeard);
  }

  readonly #tellHeard = (): void => {
    const heard = this.#heard;
    this.#heard = [];
    for (const publication of heard) this.listener?.publication(publication);
  };

  publishEphemeral(stream: string, user: string, data: string): void {
    const bytes = Buffer.from(data);
    for (const member of this.store.members) {
      if (member.#subscribed.has(stream)) setImmediate(() => member.listener?.ephemeral(stream, user, bytes));
    }
  }

  async subscribe(stream: string): Promise<void> {
    this.#reach();
    this.#subscribed.add(stream);
    await Promise.resolve();
  }

  unsubscribe(stream: string): void {
    this.#subscribed.delete(stream);
  }

  async read(name: string, after: number, limit: number): Promise<Page> {
    this.#reach();
    await Promise.resolve();
    const stream = this.store.live(name);
    const oldest = this.store.now() * 1_000 - historyOf(this.#policy(), name).ttlMs * 1_000;
    return {
      top: { epoch: stream.epoch, top: stream.top, lives: [...stream.lives] },
      items: stream.items.filter((item) => item.offset > after && item.ts >= oldest).slice(0, limit),
    };
  }

  changed(held: HeldStreams): Promise<readonly string[]> {
    return this.moved(held);
  }

  async moved(held: HeldStreams): Promise<readonly string[]> {
    this.#reach();
    await Promise.resolve();
    return [...held.streams()].filter((name) => {
      const stream = this.store.streams.get(name);
      const position = held.positionOf(name);
      const same =
        stream &&
        position &&
        stream.top === position.offset &&
        stream.epoch === position.epoch &&
        stream.replid === this.store.replid;
      return !same;
    });
  }

  async createSession(row: SessionRow): Promise<void> {
    this.#reach();
    await Promise.resolve();
    this.store.sessions.set(row.id, { row });
  }

  async loadSession(id: string): Promise<LoadedSession | undefined> {
    this.#reach();
    await Promise.resolve();
    const row = this.store.sessions.get(id)?.row;
    if (!row) return undefined;
    const lease = this.store.leases.get(row.owner);
    return { row, ownerSilentMs: lease ? this.store.now() - lease.at : undefined };
  }

  async changeChannels(id: string, g: number, add: readonly string[], remove: readonly string[]): Promise<boolean> {
    const session = this.#sessionAt(id, g);
    if (!session) return false;
    const channels = new Set(session.row.channels);
    for (const channel of add) channels.add(channel);
    for (const channel of remove) channels.delete(channel);
    session.row = { ...session.row, channels: [...channels] };
    return true;
  }

  async note(id: string, g: number, name: string, value: string | undefined): Promise<boolean> {
    const session = this.#sessionAt(id, g);
    if (!session) return false;
    const { notes = {}, ...row } = session.row;
    const kept = Object.entries(notes).filter(([known]) => known !== name);
    if (value !== undefined) kept.push([name, value]);
    session.row = kept.length > 0 ? { ...row, notes: Object.fromEntries(kept) } : row;
    return true;
  }

  async takeOver(
    id: string,
    g: number,
    owner: string,
    receipt?: ReceiptOf,
    instance?: string,
  ): Promise<number | undefined> {
    const session = this.#sessionAt(id, g);
    if (!session) return undefined;
    const former = session.row.owner;
    session.row = { ...session.row, g: g + 1, owner, ...(instance === undefined ? {} : { instance }) };
    delete session.pending;
    if (receipt) this.#count(receiptField(receipt, "resumed"), 1);
    this.tell(former, { kind: "taken", session: id, g: g + 1, pod: owner });
    return g + 1;
  }

  async prepare(id: string, g: number, target: string, ttlMs: number): Promise<boolean> {
    const session = this.#sessionAt(id, g);
    if (!session) return false;
    session.pending = { g: g + 1, target, untilMs: this.store.now() + ttlMs };
    return true;
  }

  async commit(
    id: string,
    g: number,
    target: string,
    move: string,
    receipt: ReceiptOf,
  ): Promise<SessionRow | undefined> {
    const session = this.#sessionAt(id, g);
    if (!session) {
      const stored = this.store.sessions.get(id);
      const isDone = stored?.lastMove === move && stored.row.g === g + 1 && stored.row.owner === target;
      return isDone ? stored.row : undefined;
    }
    const { pending } = session;
    if (pending?.target !== target || pending.g !== g + 1 || this.store.now() > pending.untilMs) {
      return undefined;
    }
    session.row = { ...session.row, g: g + 1, owner: target };
    session.lastMove = move;
    delete session.pending;
    this.#count(receiptField(receipt, "moved"), 1);
    this.tell(receipt.source, { kind: "moved", session: id, g: g + 1, pod: target });
    return session.row;
  }

  async endSession(id: string, g: number): Promise<boolean> {
    const session = this.#sessionAt(id, g);
    return session ? this.store.sessions.delete(id) : false;
  }

  async sessionsOf(tenant: string, user: string): Promise<readonly LoadedSession[]> {
    this.#reach();
    const own = [...this.store.sessions.values()].filter(({ row }) => row.tenant === tenant && row.user === user);
    const loaded = await Promise.all(own.toReversed().map(({ row }) => this.loadSession(row.id)));
    return loaded.flatMap((session) => session ?? []);
  }

  async countReceipts(counts: Parameters<Broker["countReceipts"]>[0]): Promise<void> {
    this.#reach();
    await Promise.resolve();
    for (const entry of counts) this.#count(receiptField(entry, entry.outcome), entry.count);
  }

  async receipts() {
    this.#reach();
    await Promise.resolve();
    return receiptTotals(this.store.receiptCounts);
  }

  async beat(lease: PodLease): Promise<readonly PodEntry[]> {
    this.#reach();
    await Promise.resolve();
    this.#key = lease.key;
    const now = this.store.now();
    this.store.leases.set(lease.key, { lease, at: now });
    for (const [key, entry] of this.store.leases) if (now - entry.at > FORGET_POD_MS) this.store.leases.delete(key);
    return [...this.store.leases.values()].map((entry) => ({ ...entry.lease, silentMs: now - entry.at }));
  }

  #reach(): void {
    if (this.store.away) throw new BrokerUnavailable("cannot reach the store: it is away");
  }

  // Without a pause before its caller's change, as a script in a real store is.
  #sessionAt(id: string, g: number): StoredSession | undefined {
    this.#reach();
    const session = this.store.sessions.get(id);
    return session?.row.g === g ? session : undefined;
  }

  #count(field: string, count: number): void {
    this.store.receiptCounts.set(field, (this.store.receiptCounts.get(field) ?? 0) + count);
  }

  tell(pod: string, message: ControlMessage): void {
    for (const member of this.store.members) {
      if (member.#key === pod) setImmediate(() => member.listener?.control(message));
    }
  }
}
