// One simulated life of a small fleet: real SDKs and the real server core on virtual time, with faults from a seed, judged by the
// guarantee table. To be run with faked timers. Not here: the sockets (simulated-network.ts).

import type { Client, Diverged, Gap, Message, Subscription } from "@wscluster/client";
import { connect, inbox } from "@wscluster/client";
import { MemoryStore, SimulatedPod } from "@wscluster/server/testing";
import { seededRandom } from "../load/seeded-random.ts";
import { SimulatedNetwork } from "./simulated-network.ts";

/** What may go wrong in a run; moves, cuts and killed pods happen in all of them. */
export type Weather =
  /** Paths die without telling anybody. */
  | "black-holes"
  /** The store stops for a while, and pods do not hear some of what it says. */
  | "deaf-store"
  /** A replica that missed the last writes is promoted. */
  | "failovers";

type Data = { readonly by: string; readonly n: number };
type Seen = { readonly offset: number; readonly data: Data };

const CHANNELS = ["lobby", "desk"];
/** Joined and left again all the time. */
const PORCH = "porch";
const NAMES = ["ann", "bob", "cid"];
/** Everybody's inbox, as those who write to it call it. */
const INBOXES = NAMES.map((name) => `~user/${name}`);
const TENANT = "default";
const STEPS = 40;
const QUIET_MS = 240_000;

export type SimulationClock = { advance(ms: number): Promise<unknown> };

export type Outcome = {
  /** Empty = every promise was kept. */
  readonly broken: readonly string[];
  readonly published: number;
  readonly moves: number;
  readonly resumes: number;
  readonly diverged: number;
  readonly log: readonly string[];
};

class Person {
  readonly name: string;
  readonly client: Client;
  readonly views = new Map<string, Seen[]>();
  readonly called = new Map<string, number>();
  /** By user, up to where our messages to that one are on a device. */
  readonly receipts = new Map<string, number>();
  readonly failures: unknown[] = [];
  /** Up to here nothing is known of a channel: the store lost the life of it that the person was in, and said so. */
  readonly unknownUpTo = new Map<string, number>();
  /** What was seen of the porch, visit by visit. */
  readonly visits: Seen[][] = [];
  #visit: Subscription<Data> | undefined;
  session = "";
  gaps = 0;
  answered = 0;
  calls = 0;

  constructor(name: string, network: SimulatedNetwork, random: () => number) {
    this.name = name;
    this.client = connect({ url: "ws://fleet.test/ws", user: name, random, webSocket: (url) => network.open(url) });
    this.client.on("welcome", ({ session }) => {
      this.session = session;
    });
    for (const channel of CHANNELS) this.#join(channel);
    const own = `~user/${name}`;
    const { onDiverged, onGap, view } = this.#viewOf(own);
    inbox<Data>(this.client, {
      onMessage: ({ position, data }) => void view.push({ offset: position.offset, data }),
      onReceipt: ({ kind, to, position }) => {
        if (kind === "delivered") this.receipts.set(to, position.offset);
      },
      onDiverged,
      onGap,
    });
  }

  #join(channel: string): void {
    const { onDiverged, onGap, view } = this.#viewOf(channel);
    this.client.subscribe<Data>(channel, {
      onMessage: ({ offset, data }: Message<Data>) => void view.push({ offset, data }),
      onDiverged,
      onGap,
    });
  }

  #viewOf(channel: string) {
    const view: Seen[] = [];
    this.views.set(channel, view);
    return {
      view,
      onDiverged: ({ previous }: Diverged) => {
        const kept = view.filter(({ offset }) => offset <= previous.offset);
        view.splice(0, view.length, ...kept);
      },
      onGap: ({ to, why }: Gap) => {
        if (why === "history-expired") this.gaps += 1;
        this.unknownUpTo.set(channel, to);
        view.splice(0);
      },
    };
  }

  /** Comes to the porch, or leaves it. */
  stepOut(): void {
    if (this.#visit) {
      this.#visit.unsubscribe();
      this.#visit = undefined;
      return;
    }
    const view: Seen[] = [];
    this.visits.push(view);
    this.#visit = this.client.subscribe<Data>(PORCH, {
      onMessage: ({ offset, data }) => void view.push({ offset, data }),
    });
  }

  publish(channel: string): void {
    const n = (this.called.get(channel) ?? 0) + 1;
    this.called.set(channel, n);
    this.calls += 1;
    this.client.publish(channel, { by: this.name, n }).then(
      () => void (this.answered += 1),
      (error: unknown) => this.failures.push(error),
    );
  }
}

export async function simulate(seed: number, weather: Weather, clock: SimulationClock): Promise<Outcome> {
  const random = seededRandom(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const chance = (share: number) => random() < share;
  const log: string[] = [];
  const note = (text: string) => void log.push(`${Math.round(performance.now())} ${text}`);
  const store = new MemoryStore(() => Date.now());
  const network = new SimulatedNetwork(random);
  let born = 0;
  let isDeaf = false;
  const start = async () => {
    const key = `pod${(born += 1)}`.padEnd(16, "0");
    const drops = () => isDeaf || (weather === "deaf-store" && chance(0.02));
    const pod = new SimulatedPod({ key, store, drops });
    network.pods.push(pod);
    await pod.start();
  };
  await start();
  await start();
  const people = NAMES.map((name) => new Person(name, network, random));
  for (let waited = 0; waited < 60 && !people.every(({ client }) => client.state === "live"); waited += 1) {
    await clock.advance(500);
  }
  await clock.advance(1_000);

  for (let step = 0; step < STEPS; step += 1) {
    for (let n = Math.floor(random() * 6); n > 0; n -= 1) pick(people).publish(pick([...CHANNELS, PORCH, ...INBOXES]));
    if (chance(0.3)) pick(people).stepOut();
    const person = pick(people);
    const living = network.pods.filter((pod) => !pod.isDead);
    const act = random();
    if (act < 0.45) {
      const target = pick(living);
      const holder = living.find((pod) => pod.forceMove(person.session, target.key, 500 + random() * 10_000));
      if (holder) note(`move ${person.name} ${holder.key} > ${target.key}`);
    } else if (act < 0.6) {
      const wire = pick([...network.wires]);
      if (wire) note(`cut a socket of ${wire.pod?.key}`);
      wire?.cut();
    } else if (act < 0.68) {
      const victim = pick(living);
      note(`kill ${victim.key}`);
      await start();
      victim.kill();
    } else if (act < 0.8) await misfortune();
    await clock.advance(random() * 400);
  }

  async function misfortune(): Promise<void> {
    if (weather === "black-holes") {
      note("a path dies");
      pick([...network.wires])?.die();
    } else if (weather === "deaf-store") {
      note("the store stops");
      store.away = true;
      setTimeout(() => {
        store.away = false;
      }, random() * 3_000);
    } else {
      const snapshot = store.snapshot();
      await clock.advance(random() * 500);
      note("a replica is promoted");
      store.failOver(snapshot);
    }
  }

  if (weather === "failovers") {
    // The last thing that happens: nobody writes to these channels any more, and what is lost must come back all the same.
    const snapshot = store.snapshot();
    isDeaf = true;
    for (const person of people) person.publish(pick(CHANNELS));
    await clock.advance(random() * 500);
    note("a replica is promoted");
    store.failOver(snapshot);
    isDeaf = false;
  }
  note("calm");
  // Who publishes without being subscribed hears of a loss only when it publishes again.
  await clock.advance(5_000);
  for (const person of people) for (const channel of INBOXES) person.publish(channel);
  for (let waited = 0; waited < QUIET_MS && judge(people, store, weather).length > 0; waited += 1_000)
    await clock.advance(1_000);
  const broken = judge(people, store, weather);
  for (const { client } of people) client.close();
  await clock.advance(1_000);
  for (const pod of network.pods) if (!pod.isDead) pod.kill();
  const sum = (of: (client: Client) => number) => people.reduce((total, { client }) => total + of(client), 0);
  return {
    broken,
    published: people.reduce((total, { calls }) => total + calls, 0),
    moves: sum((client) => client.counters.moves),
    resumes: sum((client) => client.counters.resumes),
    diverged: sum((client) => client.counters.diverged),
    log,
  };
}

function streamOf(store: MemoryStore, channel: string): Seen[] {
  const items = store.streams.get(`${TENANT}/${channel}`)?.items ?? [];
  return items
    .filter(({ user }) => !user.startsWith("~receipt/"))
    .map(({ offset, data }) => ({ offset, data: JSON.parse(data.toString()) as Data }));
}

/** What of the guarantee table does not hold, in words. */
function judge(people: readonly Person[], store: MemoryStore, weather: Weather): string[] {
  const broken: string[] = [];
  for (const person of people) {
    const { name, answered, calls, failures, gaps, client } = person;
    if (answered !== calls) broken.push(`${name}: ${calls - answered} of ${calls} publishes have no answer`);
    if (failures.length > 0) broken.push(`${name}: a publish failed: ${String(failures[0])}`);
    if (gaps > 0) broken.push(`${name}: ${gaps} gaps without a reason`);
    if (weather !== "failovers" && client.counters.diverged > 0) broken.push(`${name}: diverged without a failover`);
    if (client.counters.newSessions > 0) broken.push(`${name}: a new session without a reason`);
  }
  for (const channel of weather === "failovers" ? [...CHANNELS, ...INBOXES] : [...CHANNELS, ...INBOXES, PORCH]) {
    const stream = streamOf(store, channel);
    for (const { name, called } of people) {
      const numbers = stream.filter(({ data }) => data.by === name).map(({ data }) => data.n);
      const wanted = Array.from({ length: called.get(channel) ?? 0 }, (_, at) => at + 1);
      if (numbers.join() !== wanted.join()) {
        broken.push(`${channel}: of ${name}'s 1..${wanted.length} the store has ${numbers.join()}`);
      }
    }
    if (channel === PORCH) {
      broken.push(...judgeVisits(people, stream));
      continue;
    }
    for (const { name, views, unknownUpTo, receipts } of people) {
      const owner = channel.startsWith("~") ? channel.slice("~user/".length) : name;
      if (owner !== name) {
        const last = stream.findLast(({ data }) => data.by === name)?.offset ?? 0;
        if (weather !== "failovers" && (receipts.get(owner) ?? 0) !== last)
          broken.push(`${channel}: ${name} has a receipt up to ${receipts.get(owner)} of ${last}`);
        continue;
      }
      const known = unknownUpTo.get(channel) ?? 0;
      if (known > 0 && weather !== "failovers")
        broken.push(`${channel}: ${name} was told of a loss without a failover`);
      const truth = stream
        .filter(({ offset }) => offset > known)
        .map(tell)
        .join();
      const view = (views.get(channel) ?? []).map(tell).join();
      if (view !== truth) broken.push(`${channel}: ${name} saw ${view} instead of ${truth}`);
    }
  }
  return broken;
}

/** A visit shows a part of the stream without a hole, from its first message to its last. */
function judgeVisits(people: readonly Person[], stream: readonly Seen[]): string[] {
  return people.flatMap(({ name, visits }) =>
    visits.flatMap((visit) => {
      const [from, to] = [visit.at(0)?.offset ?? 1, visit.at(-1)?.offset ?? 0];
      const truth = stream.filter(({ offset }) => offset >= from && offset <= to);
      const [saw, should] = [visit, truth].map((part) => part.map(tell).join());
      return saw === should ? [] : [`porch: ${name} saw ${saw} instead of ${should}`];
    }),
  );
}

function tell({ offset, data }: Seen): string {
  return `${offset}:${data.by}${data.n}`;
}
