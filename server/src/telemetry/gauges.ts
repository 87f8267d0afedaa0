// What is measured when somebody asks: levels, and the totals that TCP counts by itself. Not here: counters on the way of messages.

import type { ChannelRate, SERVER_METRICS, PodState } from "@wscluster/protocol";
import type { Metrics } from "@wscluster/platform";
import type { Registry } from "../session/registry.ts";
import { Traffic } from "./traffic.ts";
import type { ByteCounts } from "./traffic.ts";

export type LevelFacts = {
  readonly load: PodState["load"];
  readonly memoryLimitBytes: number;
  readonly pressure: number;
  readonly brokerOk: boolean;
  readonly configGeneration: number;
  readonly configOk: boolean;
  readonly channels: readonly ChannelRate[];
  readonly lobby: { readonly perSecond: number; readonly waiting: number };
};

/** A client from which no message came for this long is idle. */
const IDLE_MS = 60_000;

export class Gauges {
  readonly #metrics: Metrics<keyof typeof SERVER_METRICS>;
  readonly #registry: Registry;
  readonly #traffic = new Traffic();
  readonly #partitionMessages: number[] = [];
  #namedChannels = new Set<string>();
  #exposed: ByteCounts = { bytesRead: 0, bytesSent: 0 };

  constructor(metrics: Metrics<keyof typeof SERVER_METRICS>, registry: Registry) {
    this.#metrics = metrics;
    this.#registry = registry;
  }

  /** Its bytes stay counted. */
  socketClosed(socket: ByteCounts): void {
    this.#traffic.closed(socket);
  }

  queueBytes(): number {
    let bytes = 0;
    for (const { socket } of this.#registry.all) bytes += socket.waitingBytes;
    return bytes;
  }

  /** Brings the levels up to date. */
  measure(facts: LevelFacts, nowMs: number): void {
    const { load } = facts;
    this.#metrics.set("wscluster_queue_bytes", this.queueBytes());
    this.#metrics.set("wscluster_event_loop_lag_seconds", load.eventLoopLagMs / 1_000);
    this.#metrics.set("wscluster_memory_bytes", load.rssBytes);
    this.#metrics.set("wscluster_memory_limit_bytes", facts.memoryLimitBytes);
    this.#metrics.set("wscluster_cpu_cores", load.cpu);
    this.#metrics.set("wscluster_pressure_ratio", facts.pressure);
    this.#metrics.set("wscluster_admission_rate_per_second", facts.lobby.perSecond);
    this.#metrics.set("wscluster_admission_waiting", facts.lobby.waiting);
    this.#metrics.set("wscluster_broker_up", facts.brokerOk ? 1 : 0);
    this.#metrics.set("wscluster_config_generation", facts.configGeneration);
    this.#metrics.set("wscluster_config_ok", facts.configOk ? 1 : 0);
    this.#connections(nowMs);
    this.#partitions();
    this.#channels(facts.channels);
    this.#bytes();
  }

  #partitions(): void {
    const { connections, weights, messages } = this.#registry.partitions();
    this.#setEach("wscluster_partition_connections", connections);
    this.#setEach("wscluster_partition_weight", weights);
    messages.forEach((total, partition) => {
      const more = total - (this.#partitionMessages[partition] ?? 0);
      if (more <= 0) return;
      this.#metrics.add("wscluster_partition_messages_total", more, { partition: String(partition) });
      this.#partitionMessages[partition] = total;
    });
  }

  /** A table without one line would read as unknown, hence the first partition's 0. */
  #setEach(name: "wscluster_partition_connections" | "wscluster_partition_weight", table: readonly number[]): void {
    const isEmpty = table.every((amount) => amount === 0);
    table.forEach((amount, at) => {
      const partition = String(at);
      if (amount > 0 || (isEmpty && at === 0)) this.#metrics.set(name, amount, { partition });
      else this.#metrics.remove(name, { partition });
    });
  }

  #channels(channels: readonly ChannelRate[]): void {
    const gone = this.#namedChannels;
    this.#namedChannels = new Set(channels.map(({ channel }) => channel));
    for (const { channel, deliveriesPerSecond } of channels) {
      this.#metrics.set("wscluster_channel_deliveries_per_second", deliveriesPerSecond, { channel });
      gone.delete(channel);
    }
    for (const channel of gone) this.#metrics.remove("wscluster_channel_deliveries_per_second", { channel });
  }

  #connections(nowMs: number): void {
    const { sessions, preparing, leaving, userSockets } = this.#registry;
    let idle = 0;
    for (const { lastActiveMs } of sessions.values()) if (nowMs - lastActiveMs >= IDLE_MS) idle += 1;
    this.#metrics.set("wscluster_connections", sessions.size);
    this.#metrics.set("wscluster_connection_slots", this.#registry.slots);
    this.#metrics.set("wscluster_connections_idle", idle);
    const opening = Math.max(0, userSockets - sessions.size - preparing.size - leaving.size);
    const states = { opening, session: sessions.size, preparing: preparing.size, leaving: leaving.size };
    for (const [state, count] of Object.entries(states)) this.#metrics.set("wscluster_sockets", count, { state });
  }

  #bytes(): void {
    const { all, probes } = this.#registry;
    const open = [...all].flatMap((connection) => (probes.has(connection) ? [] : [connection.socket]));
    const totals = this.#traffic.totals(open);
    this.#metrics.add("wscluster_received_bytes_total", totals.bytesRead - this.#exposed.bytesRead);
    this.#metrics.add("wscluster_sent_bytes_total", totals.bytesSent - this.#exposed.bytesSent);
    this.#exposed = totals;
  }
}
