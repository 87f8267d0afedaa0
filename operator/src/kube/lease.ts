// Leader election by a Lease: the shell around lease-decision.ts. Give it a client on a connection of its own: a busy
// controller must not starve renewals (kueue#15537). Losing the lease aborts the leader's signal; it does not exit.
import { sleep, type Clock, type Timer } from "../runtime/clock.ts";
import { isAlreadyExists, isConflict, isNotFound, KubeError } from "./errors.ts";
import {
  defaultLeaseTerms,
  evaluateLease,
  leaseSpecFor,
  mayLead,
  observeLease,
  type LeaseObservation,
  type LeaseSpec,
  type LeaseTerms,
} from "./lease-decision.ts";
import type { Lease, Manifest } from "./objects.ts";
import type { KubeApi } from "./ports.ts";
import { resources } from "./resources.ts";

export type LeadershipStart = {
  /** Aborted at the moment from which we may not act. Hand it to every request. */
  signal: AbortSignal;
  /** The lease's transition counter: grows with each change of leader. */
  transitions: number;
};

export type ElectorOptions = {
  client: Pick<KubeApi, "get" | "create" | "replace">;
  namespace: string;
  name: string;
  /** Unique per process, e.g. pod name and a random part: two processes with one identity would both lead. */
  identity: string;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
  terms?: LeaseTerms;
  onStartedLeading: (start: LeadershipStart) => void;
  /** Called after the signal aborted. Awaited before the lease is released, so that work has ended by then. */
  onStoppedLeading?: (why: "lost" | "released") => void | Promise<void>;
  onProblem?: (error: unknown) => void;
};

/** A standby looks a little more often than the leader writes, so that it leads within two seconds of a release. Jitter keeps standbys out of step. */
const STANDBY_PART = 0.7;
const STANDBY_JITTER = 0.2;

export class LeaderElector {
  readonly #options: ElectorOptions;
  readonly #terms: LeaseTerms;
  readonly #stop = new AbortController();
  #loop: Promise<void> | undefined;
  #observed: LeaseObservation | undefined;
  #leading: { abort: AbortController; renewedAtMs: number; expiry: Timer } | undefined;
  #ending: Promise<void> = Promise.resolve();

  constructor(options: ElectorOptions) {
    this.#terms = options.terms ?? defaultLeaseTerms;
    const { leaseDurationMs, renewDeadlineMs, retryPeriodMs } = this.#terms;
    if (!(leaseDurationMs > renewDeadlineMs && renewDeadlineMs > retryPeriodMs * 1.2)) {
      throw new KubeError("BadConfig", "cannot elect a leader: need duration > renew deadline > 1.2 x retry period");
    }
    this.#options = options;
  }

  start(): void {
    if (!this.#stop.signal.aborted) this.#loop ??= this.#run();
  }

  /** Whether acting is allowed right now: also false when a renewal is overdue and its timer has not fired yet. */
  isLeader(): boolean {
    const leading = this.#leading;
    return leading !== undefined && mayLead(leading.renewedAtMs, this.#options.clock.monotonicMs(), this.#terms);
  }

  /** Stops acting, waits for `onStoppedLeading`, then frees the lease so that a successor need not wait. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    const wasLeading = this.isLeader();
    this.#end("released");
    await this.#ending;
    if (wasLeading) await this.#release();
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options;
    while (!this.#stop.signal.aborted) {
      let failed = false;
      try {
        await this.#attempt();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        failed = true;
        this.#problem(error);
      }
      // A lost leadership must have ended before we may win again.
      await this.#ending;
      const { retryPeriodMs } = this.#terms;
      // A leader that failed asks sooner: its last attempt must not fall on the deadline itself.
      const leaderWaitMs = failed ? retryPeriodMs / 4 : retryPeriodMs;
      const standbyWaitMs = retryPeriodMs * (STANDBY_PART + STANDBY_JITTER * random());
      const waitMs = this.#leading === undefined ? standbyWaitMs : leaderWaitMs;
      await sleep(clock, waitMs, this.#stop.signal);
    }
  }

  async #attempt(): Promise<void> {
    const { client, identity, clock } = this.#options;
    // Before the request: what others see happens later, so our deadline always ends before theirs.
    const sentAtMs = clock.monotonicMs();
    const request = { signal: this.#stop.signal, timeoutMs: this.#requestTimeoutMs(sentAtMs) };
    const ref = { namespace: this.#options.namespace, name: this.#options.name };
    let live: Lease | undefined;
    try {
      live = await client.get(resources.leases, ref, request);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    const nowMs = clock.monotonicMs();
    if (live !== undefined) this.#observed = observeLease(this.#observed, live.metadata.resourceVersion, nowMs);
    const spec = live?.spec as LeaseSpec | undefined;
    const action = evaluateLease(
      live === undefined ? undefined : (spec ?? {}),
      identity,
      this.#observed,
      nowMs,
      this.#terms,
    );
    if (action.kind === "wait") {
      // Someone else holds it: whatever our own deadline says, we do not lead.
      this.#end("lost");
      return;
    }
    // A lease in our name that this process does not hold cannot be ours to renew: treat it as a fresh win.
    const wrote = await this.#write(live, leaseSpecFor(spec, identity, clock.nowMs(), this.#terms), request);
    if (wrote === undefined) return;
    this.#observed = observeLease(this.#observed, wrote.metadata.resourceVersion, clock.monotonicMs());
    this.#lead(sentAtMs, wrote.spec?.leaseTransitions ?? 0);
  }

  /** Undefined when someone was faster. */
  async #write(
    live: Lease | undefined,
    spec: LeaseSpec,
    request: { signal?: AbortSignal; timeoutMs: number },
  ): Promise<Lease | undefined> {
    const { client, namespace, name } = this.#options;
    const metadata: Manifest["metadata"] = { namespace, name };
    if (live !== undefined) metadata.resourceVersion = live.metadata.resourceVersion;
    const manifest: Manifest = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
    try {
      return live === undefined
        ? await client.create(resources.leases, manifest, request)
        : await client.replace(resources.leases, manifest, request);
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error) || isNotFound(error)) return undefined;
      throw error;
    }
  }

  #lead(renewedAtMs: number, transitions: number): void {
    const { clock } = this.#options;
    if (this.#stop.signal.aborted || !mayLead(renewedAtMs, clock.monotonicMs(), this.#terms)) return;
    const expire = (): void => this.#end("lost");
    const expiry = clock.startTimer(renewedAtMs + this.#terms.renewDeadlineMs - clock.monotonicMs(), expire, true);
    if (this.#leading !== undefined) {
      this.#leading.expiry.cancel();
      this.#leading.renewedAtMs = renewedAtMs;
      this.#leading.expiry = expiry;
      return;
    }
    const abort = new AbortController();
    this.#leading = { abort, renewedAtMs, expiry };
    try {
      this.#options.onStartedLeading({ signal: abort.signal, transitions });
    } catch (error) {
      this.#problem(error);
    }
  }

  #end(why: "lost" | "released"): void {
    const leading = this.#leading;
    if (leading === undefined) return;
    this.#leading = undefined;
    leading.expiry.cancel();
    leading.abort.abort();
    this.#ending = (async () => {
      try {
        await this.#options.onStoppedLeading?.(why);
      } catch (error) {
        this.#problem(error);
      }
    })();
  }

  async #release(): Promise<void> {
    const { client, namespace, name, identity, clock } = this.#options;
    const request = { timeoutMs: this.#terms.retryPeriodMs };
    try {
      const live = await client.get(resources.leases, { namespace, name }, request);
      const spec = live.spec as LeaseSpec | undefined;
      if (spec?.holderIdentity !== identity) return;
      await this.#write(
        live,
        { ...leaseSpecFor(spec, identity, clock.nowMs(), this.#terms), holderIdentity: "" },
        request,
      );
    } catch (error) {
      // The successor waits out the lease instead.
      this.#problem(error);
    }
  }

  // One hanging request must not eat the whole deadline: there has to be time for another.
  #requestTimeoutMs(nowMs: number): number {
    const { renewDeadlineMs, retryPeriodMs } = this.#terms;
    const leftMs = this.#leading === undefined ? renewDeadlineMs : this.#leading.renewedAtMs + renewDeadlineMs - nowMs;
    return Math.max(retryPeriodMs, Math.min(renewDeadlineMs / 2, leftMs));
  }

  #problem(error: unknown): void {
    try {
      this.#options.onProblem?.(error);
    } catch {
      // Reporting must not end the election.
    }
  }
}
