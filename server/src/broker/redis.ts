// The shared store on Redis (or Valkey), standalone. Not here: the scripts (redis/scripts.ts), connections (redis/*-link.ts).

import { randomBytes } from "node:crypto";
import type { Position, StoreSettings } from "@wscluster/protocol";
import type { Logger } from "@wscluster/platform";
import { FORGET_POD_MS, ONCE_MS, historyOf } from "./port.ts";
import type {
  Broker,
  BrokerListener,
  BrokerPolicy,
  ControlMessage,
  HeldStreams,
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
import { receiptField, receiptTotals } from "./receipt-totals.ts";
import { storeSettingsOf } from "./store-settings.ts";
import { SLOT_COUNT, keysFor, slotOf } from "./slots.ts";
import type { Keys } from "./slots.ts";
import type { Commands } from "./redis/command-link.ts";
import { linksFor } from "./redis/links.ts";
import * as scripts from "./redis/scripts.ts";
import type { Script } from "./redis/scripts.ts";
import { ephemeralMessage, ephemeralOf, publicationOf, authorText } from "./redis/stored-message.ts";
import { RedisCursors } from "./redis/cursors.ts";
import { RedisPresence, presenceEventOf } from "./redis/presence.ts";
import { fieldsOf, generationOf, list, podEntryOf, sessionRowOf, text, texts } from "./redis/replies.ts";
import { UserSessions } from "./redis/user-sessions.ts";
import { StreamReads } from "./redis/stream-reads.ts";
import type { Subscriptions } from "./redis/subscriber-link.ts";

export type RedisBrokerOptions = {
  /** Of one of the forms in redis/address.ts. */
  readonly url: string;
  /** `replicated`: a publish is acknowledged once a replica has it. Default `memory`. */
  readonly durability?: "memory" | "replicated";
  /** Prefix of all keys. */
  readonly prefix: string;
  readonly policy: () => BrokerPolicy;
  readonly log: Logger;
  /** How long a call waits for the store. Milliseconds. */
  readonly timeoutMs?: number;
  /** After how much silence a connection is given up and made anew. Milliseconds. */
  readonly silenceMs?: number;
  /** Faults of tests: true = this pod does not hear the publication. */
  readonly drops?: (publication: Publication) => boolean;
};

/** A publication on its way is not a hole: what is still missing after this time is. */
const SETTLE_MS = 150;
const COMPARE_CHUNK = 500;
const RECEIPT_MEMBER = "!rcpt";
const SLOTS = Array.from({ length: SLOT_COUNT }, (_, slot) => slot);

export class RedisBroker implements Broker {
  readonly shared = true;
  readonly presence: RedisPresence;
  readonly cursors: RedisCursors;
  readonly #options: RedisBrokerOptions;
  readonly #keys: Keys;
  readonly #commands: Commands;
  readonly #subscriber: Subscriptions;
  readonly #reads: StreamReads;
  readonly #userSessions: UserSessions;
  readonly #streamOf = new Map<string, string>();
  readonly #heldBySlot: readonly Set<string>[] = SLOTS.map(() => new Set<string>());
  readonly #seenSeq = new Map<number, number>();
  readonly #receiptsBySlot = new Map<number, readonly (readonly [string, number])[]>();
  readonly #receiptSeq = new Map<number, number>();
  #listener: BrokerListener | undefined;
  #controlChannel = "";

  constructor(options: RedisBrokerOptions) {
    this.#options = options;
    this.#keys = keysFor(options.prefix);
    const hooks = {
      onMessage: (channel: string, message: Buffer) => this.#onMessage(channel, message),
      onRestored: () => this.#listener?.resync(),
    };
    [this.#commands, this.#subscriber] = linksFor(options, hooks);
    this.#reads = new StreamReads((reads) =>
      this.#script(
        scripts.READ,
        reads.flatMap(({ stream }) => [this.#keys.meta(stream), this.#keys.stream(stream)]),
        [
          newEpoch(),
          String(options.policy().metaTtlMs),
          ...reads.flatMap(({ after, limit }) => [String(after + 1), String(limit)]),
        ],
      ),
    );
    this.cursors = new RedisCursors(this.#keys, {
      script: (script, keys, args) => this.#script(script, keys, args),
      plain: (command, keys, args) => this.#plain(command, keys, args, true),
      ttlMs: () => options.policy().metaTtlMs,
    });
    this.presence = new RedisPresence(this.#keys, {
      script: (script, keys, args) => this.#script(script, keys, args),
      plain: (command, keys, args) => this.#plain(command, keys, args, true),
      subscribe: (place) => this.subscribe(place),
      unsubscribe: (place) => this.unsubscribe(place),
      ttlMs: () => options.policy().metaTtlMs,
    });
    this.#userSessions = new UserSessions(this.#keys, {
      plain: (command, keys, args) => this.#plain(command, keys, args, true),
      maxAgeMs: () => options.policy().sessionMaxAgeMs,
      now: Date.now,
    });
  }

  start(listener: BrokerListener): Promise<void> {
    this.#listener = listener;
    this.#commands.start();
    this.#subscriber.start();
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#listener = undefined;
    this.#commands.stop();
    this.#subscriber.stop();
    return Promise.resolve();
  }

  /** Drops the subscriber's connection. For tests. */
  cutSubscriber(): void {
    this.#subscriber.cut();
  }

  // ---- streams ------------------------------------------------------------------------------------------------------------

  async publish(request: PublishRequest): Promise<PublishResult> {
    const { stream } = request;
    const policy = this.#options.policy();
    const history = historyOf(policy, stream);
    const keys = this.#keys;
    const slot = slotOf(stream);
    let reply: readonly string[];
    try {
      reply = texts(
        await this.#commands.run({
          script: scripts.PUBLISH,
          durable: this.#options.durability === "replicated",
          repeatable: true,
          keys: [
            keys.meta(stream),
            keys.stream(stream),
            keys.seq(slot),
            keys.recent(slot),
            keys.once(stream, "key" in request ? request.key : ""),
          ],
          args: [
            keys.channel(stream),
            stream,
            ...("key" in request ? ["", "0", "0"] : [request.producer, String(request.gen), String(request.seq)]),
            authorText(request.user, request.trace),
            request.data,
            String(history.maxLength),
            String(history.ttlMs),
            String(policy.metaTtlMs),
            newEpoch(),
            "key" in request ? String(ONCE_MS) : "",
            "gaps" in request && request.gaps ? "1" : "",
          ],
        }),
      );
    } catch {
      return { kind: "unavailable" };
    }
    const [kind, first = "", second = ""] = reply;
    if (kind === "stored" || kind === "dup") return { kind, epoch: first, offset: Number(second) };
    if (kind === "out-of-order") return { kind, last: Number(first) };
    return { kind: "fenced" };
  }

  publishEphemeral(stream: string, user: string, data: string): void {
    const channel = this.#keys.channel(stream);
    this.#plain("publish", [channel], [ephemeralMessage(user, data)], false).catch(() => {});
  }

  async subscribe(stream: string): Promise<void> {
    const channel = this.#keys.channel(stream);
    this.#streamOf.set(channel, stream);
    this.#heldBySlot[slotOf(stream)]?.add(stream);
    await this.#subscriber.subscribe(channel);
  }

  unsubscribe(stream: string): void {
    const channel = this.#keys.channel(stream);
    this.#streamOf.delete(channel);
    this.#heldBySlot[slotOf(stream)]?.delete(stream);
    this.#subscriber.unsubscribe(channel);
  }

  #onMessage(channel: string, message: Buffer): void {
    if (channel === this.#controlChannel) {
      this.#listener?.control(JSON.parse(message.toString()) as ControlMessage);
      return;
    }
    const stream = this.#streamOf.get(channel);
    if (stream === undefined) return;
    const publication = publicationOf(stream, message);
    if (publication) {
      if (!this.#options.drops?.(publication)) this.#listener?.publication(publication);
      return;
    }
    const ephemeral = ephemeralOf(message);
    if (ephemeral) {
      this.#listener?.ephemeral(stream, ephemeral.user, ephemeral.data);
      return;
    }
    const event = presenceEventOf(stream, message);
    if (event) this.#listener?.presence?.(event);
  }

  read(stream: string, after: number, limit: number): Promise<Page> {
    return this.#reads.read(stream, after, limit);
  }

  async changed(held: HeldStreams): Promise<readonly string[]> {
    const seqs = await this.#seqs();
    const candidates: string[] = [];
    const reads: Promise<void>[] = [];
    for (const slot of SLOTS) {
      const streams = this.#heldBySlot[slot];
      const seq = seqs[slot] ?? 0;
      const seen = this.#seenSeq.get(slot);
      if (!streams || streams.size === 0 || seq === seen) continue;
      if (seen === undefined || seq < seen || seq - seen > scripts.RECENT_LIMIT) {
        // First look, another store, or too long ago for the index.
        candidates.push(...streams);
        continue;
      }
      const recent = this.#plain("zrangebyscore", [this.#keys.recent(slot)], [`(${seen}`, "+inf"], true);
      reads.push(
        recent.then((names) => {
          for (const name of texts(names)) if (streams.has(name)) candidates.push(name);
        }),
      );
    }
    await Promise.all(reads);
    const behind = await this.#compare(candidates, held);
    for (const slot of SLOTS) {
      if (this.#heldBySlot[slot]?.size) this.#seenSeq.set(slot, seqs[slot] ?? 0);
      else this.#seenSeq.delete(slot);
    }
    return behind;
  }

  moved(held: HeldStreams): Promise<readonly string[]> {
    return this.#compare([...held.streams()], held);
  }

  async #seqs(): Promise<readonly number[]> {
    const reply = list(await this.#plain("mget", SLOTS.map(this.#keys.seq), [], true));
    return reply.map((value) => (value === null ? 0 : Number(text(value))));
  }

  /** Those whose place in the store is not the pod's, also after what was on its way has arrived. */
  async #compare(streams: readonly string[], held: HeldStreams): Promise<readonly string[]> {
    const differing = (await this.#positions(streams)).filter(([stream, stored]) => {
      const position = held.positionOf(stream);
      return position && (position.epoch !== stored.epoch || position.offset !== stored.offset);
    });
    if (differing.length === 0) return [];
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const before = new Map(differing.map(([stream]) => [stream, held.positionOf(stream)]));
    const now = new Map(await this.#positions(differing.map(([stream]) => stream)));
    return differing.flatMap(([stream, first]) => {
      const position = before.get(stream);
      const second = now.get(stream);
      // Behind what was stored a while ago, ahead of what is stored now (the store lost it), or in another life.
      const isPlaced =
        !position ||
        (second?.epoch === position.epoch && position.offset >= first.offset && position.offset <= second.offset);
      return isPlaced ? [] : [stream];
    });
  }

  async #positions(streams: readonly string[]): Promise<readonly (readonly [string, Position])[]> {
    const positions: (readonly [string, Position])[] = [];
    for (let index = 0; index < streams.length; index += COMPARE_CHUNK) {
      const chunk = streams.slice(index, index + COMPARE_CHUNK);
      const replies = await Promise.all(
        chunk.map((stream) => this.#plain("hmget", [this.#keys.meta(stream)], ["epoch", "offset"], true)),
      );
      for (const [place, stream] of chunk.entries()) {
        const [epoch, offset] = list(replies[place]);
        // A stream that the store does not know stands at its beginning, in no life.
        positions.push([stream, { epoch: epoch ? text(epoch) : "", offset: offset ? Number(text(offset)) : 0 }]);
      }
    }
    return positions;
  }

  // ---- sessions -----------------------------------------------------------------------------------------------------------

  async createSession(row: SessionRow): Promise<void> {
    const { id, channels, g, notes, ...rest } = row;
    const fields = Object.entries({ v: "1", ...rest, g: String(g) }).flat();
    for (const channel of channels) fields.push(`c:${channel}`, "1");
    for (const [name, value] of Object.entries(notes ?? {})) fields.push(`n:${name}`, value);
    const { sessionMaxAgeMs } = this.#options.policy();
    const listed = this.#userSessions.add(`${row.tenant}/${row.user}`, id).catch(() => {});
    await this.#script(scripts.CREATE_SESSION, [this.#keys.session(id)], [String(sessionMaxAgeMs), ...fields]);
    await listed;
  }

  async loadSession(id: string): Promise<LoadedSession | undefined> {
    const row = sessionRowOf(id, fieldsOf(await this.#plain("hgetall", [this.#keys.session(id)], [], true)));
    if (!row) return undefined;
    const [lease, time] = await Promise.all([
      this.#plain("hget", [this.#keys.pods()], [row.owner], true),
      this.#plain("time", [], [], true),
    ]);
    const [seconds = "0", micros = "0"] = texts(time);
    const nowMs = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
    const entry = lease === null ? undefined : podEntryOf(text(lease), nowMs);
    return { row, ownerSilentMs: entry?.silentMs };
  }

  async changeChannels(id: string, g: number, add: readonly string[], remove: readonly string[]): Promise<boolean> {
    const args = [String(g), String(add.length), ...add, ...remove];
    return Number(await this.#script(scripts.CHANGE_CHANNELS, [this.#keys.session(id)], args)) === 1;
  }

  async note(id: string, g: number, name: string, value: string | undefined): Promise<boolean> {
    const args = [String(g), `n:${name}`, ...(value === undefined ? [] : [value])];
    return Number(await this.#script(scripts.NOTE, [this.#keys.session(id)], args)) === 1;
  }

  async takeOver(
    id: string,
    g: number,
    owner: string,
    receipt?: ReceiptOf,
    instance?: string,
  ): Promise<number | undefined> {
    const field = receipt ? receiptField(receipt, "resumed") : "";
    // Not repeatable: run twice it would fence its own caller; the caller reads the row again instead.
    const reply = await this.#script(
      scripts.TAKE_OVER,
      this.#sessionKeys(id),
      [String(g), id, this.#keys.pod(""), owner, field, instance ?? ""],
      false,
    );
    return generationOf(reply);
  }

  tell(pod: string, message: ControlMessage): void {
    const text = JSON.stringify({ v: 1, ...message });
    this.#plain("publish", [this.#keys.pod(pod)], [text], false).catch(() => {});
  }

  async prepare(id: string, g: number, target: string, ttlMs: number): Promise<boolean> {
    const args = [String(g), target, String(ttlMs)];
    return Number(await this.#script(scripts.PREPARE, [this.#keys.session(id)], args)) === 1;
  }

  async commit(
    id: string,
    g: number,
    target: string,
    move: string,
    receipt: ReceiptOf,
  ): Promise<SessionRow | undefined> {
    const reply = await this.#script(scripts.COMMIT, this.#sessionKeys(id), [
      String(g),
      id,
      this.#keys.pod(""),
      target,
      receiptField(receipt, "moved"),
      receipt.source,
      move,
    ]);
    const flat = texts(reply);
    const fields = new Map(flat.flatMap((field, at) => (at % 2 === 0 ? [[field, flat[at + 1] ?? ""] as const] : [])));
    return sessionRowOf(id, fields);
  }

  async endSession(id: string, g: number): Promise<boolean> {
    const user = text(await this.#script(scripts.END_SESSION, [this.#keys.session(id)], [String(g)]));
    if (user === "") return false;
    // Left over, it is found out by whoever looks.
    this.#userSessions.remove(user, [id]).catch(() => {});
    return true;
  }

  async sessionsOf(tenant: string, user: string): Promise<readonly LoadedSession[]> {
    const name = `${tenant}/${user}`;
    const ids = await this.#userSessions.of(name);
    const loaded = await Promise.all(ids.map(async (id) => [id, await this.loadSession(id)] as const));
    const over = loaded.flatMap(([id, session]) => (session ? [] : [id]));
    this.#userSessions.remove(name, over).catch(() => {});
    return loaded.flatMap(([, session]) => session ?? []);
  }

  #sessionKeys(id: string): readonly string[] {
    const slot = slotOf(id);
    return [this.#keys.session(id), this.#keys.receipts(slot), this.#keys.seq(slot), this.#keys.recent(slot)];
  }

  // ---- receipts, pods -----------------------------------------------------------------------------------------------------

  async countReceipts(counts: Parameters<Broker["countReceipts"]>[0]): Promise<void> {
    if (counts.length === 0) return;
    // Any slot would do: totals are summed over all. By source, so that pods do not meet on one.
    const slot = slotOf(counts[0]?.source ?? "");
    const args = counts.flatMap((entry) => [receiptField(entry, entry.outcome), String(entry.count)]);
    const keys = [this.#keys.receipts(slot), this.#keys.seq(slot), this.#keys.recent(slot)];
    await this.#script(scripts.COUNT_RECEIPTS, keys, args, false);
  }

  /** Reads only slots whose receipts changed since the last call, which the change index tells. */
  async receipts() {
    const seqs = await this.#seqs();
    await Promise.all(
      SLOTS.map(async (slot) => {
        const seq = seqs[slot] ?? 0;
        const seen = this.#receiptSeq.get(slot);
        if (seq === seen || (seen === undefined && seq === 0)) return;
        const score = await this.#plain("zscore", [this.#keys.recent(slot)], [RECEIPT_MEMBER], true);
        const isFresh = score !== null && (seen === undefined || seq < seen || Number(text(score)) > seen);
        // A receipt pushed out of the index by other changes is as good as changed.
        const isUnknown = score === null && (seen === undefined || seq < seen || seq - seen > scripts.RECENT_LIMIT);
        if (isFresh || isUnknown) {
          const fields = fieldsOf(await this.#plain("hgetall", [this.#keys.receipts(slot)], [], true));
          this.#receiptsBySlot.set(
            slot,
            [...fields].map(([field, count]) => [field, Number(count)] as const),
          );
        }
        this.#receiptSeq.set(slot, seq);
      }),
    );
    return receiptTotals([...this.#receiptsBySlot.values()].flat());
  }

  async settings(): Promise<StoreSettings> {
    const sections = await Promise.all(["memory", "replication"].map((name) => this.#plain("info", [], [name], true)));
    return storeSettingsOf(sections.map(text).join("\n"));
  }

  async beat(lease: PodLease): Promise<readonly PodEntry[]> {
    if (this.#controlChannel === "") {
      const channel = this.#keys.pod(lease.key);
      await this.#subscriber.subscribe(channel);
      this.#controlChannel = channel;
    }
    const args = [lease.key, JSON.stringify({ v: 1, ...lease }), String(FORGET_POD_MS)];
    const [now, leases] = list(await this.#script(scripts.BEAT, [this.#keys.pods()], args));
    const nowMs = Number(text(now));
    return texts(leases).flatMap((entry) => podEntryOf(entry, nowMs) ?? []);
  }

  #script(script: Script, keys: readonly string[], args: readonly string[], repeatable = true): Promise<unknown> {
    return this.#commands.run({ script, keys, args, repeatable });
  }

  #plain(plain: string, keys: readonly string[], args: readonly string[], repeatable: boolean): Promise<unknown> {
    return this.#commands.run({ plain, keys, args, repeatable });
  }
}

function newEpoch(): string {
  return randomBytes(6).toString("hex");
}
