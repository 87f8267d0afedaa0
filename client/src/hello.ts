// The first frame on a socket, and the address of a named pod. Pure. Not here: when a socket is opened.

import type { Capability, HelloFrame, MigrateFrame, Position, Producer } from "@wscluster/protocol";
import { NAMED_ARRIVAL } from "@wscluster/protocol";

export type HelloFacts = {
  readonly token: string | undefined;
  readonly user: string | undefined;
  readonly device: string | undefined;
  readonly instance: string;
  readonly producer: Producer;
  readonly identity: { readonly session: string; readonly secret: string } | undefined;
  readonly caps: readonly Capability[] | undefined;
  readonly ticket: string | undefined;
  /** Channels with the position that each goes on from; `undefined`: nothing was received yet. */
  readonly channels: readonly (readonly [string, Position | undefined])[];
};

/** A new session, or a resume that takes it over at once. */
export function helloFor(facts: HelloFacts): HelloFrame {
  const { token, user, device, instance, producer, identity, ticket, caps, channels } = facts;
  const sub = channels.filter(([, from]) => !identity || !from).map(([c, from]) => (from ? { c, from } : { c }));
  return {
    t: "hello",
    ...(token === undefined ? {} : { token }),
    ...(user === undefined ? {} : { user }),
    ...(device === undefined ? {} : { device }),
    instance,
    producer,
    caps: ["migrate", "resume", ...(caps ?? [])],
    ...(identity ? { resume: { ...identity, pos: positionsOf(channels) } } : {}),
    ...(identity && ticket !== undefined ? { ticket } : {}),
    ...(sub.length > 0 ? { sub } : {}),
  };
}

/** The first phase of a move. The ticket and the secret say who we are: no token goes along, and nothing new is asked for. */
export function prepareHelloFor(facts: HelloFacts): HelloFrame {
  const { sub: _, ...hello } = helloFor({ ...facts, token: undefined });
  return { ...hello, prepare: true };
}

function positionsOf(channels: HelloFacts["channels"]): [string, string, number][] {
  return channels.flatMap(([c, from]) =>
    from ? [[c, from.epoch, from.offset] satisfies [string, string, number]] : [],
  );
}

/** Where to find the pod that `migrate` names. */
export function namedUrl(base: string, frame: Pick<MigrateFrame, "url" | "pod" | "ticket">): string {
  const url = new URL(frame.url ?? base);
  url.searchParams.set(NAMED_ARRIVAL.pod, frame.pod);
  url.searchParams.set(NAMED_ARRIVAL.ticket, frame.ticket);
  return url.href;
}

/** The URL for logs: a ticket opens a session for whoever has it together with the secret. */
export function withoutTicket(url: string): string {
  return url.replace(/([?&]ticket=)[^&]*/, "$1...");
}
