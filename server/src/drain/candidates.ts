// Who is asked to move, in which order. Pure. Not here: when (pacing.ts).

import type { Capability, Grant } from "@wscluster/protocol";

export type Candidate = {
  /** Understands `migrate`. */
  readonly canMove: boolean;
  readonly lastActiveMs: number;
  readonly edge: string;
  readonly key: string;
  readonly partition: number;
};

type ConnectionFacts = {
  readonly caps: ReadonlySet<Capability>;
  readonly lastActiveMs: number;
  readonly socket: { readonly arrival: { readonly edge: string } };
  readonly place: { readonly key: string; readonly partition: number };
};

export type Selection = NonNullable<Grant["select"]>;

/** A connection as a candidate. */
export function candidateOf<C extends ConnectionFacts>(connection: C): Candidate & { readonly connection: C } {
  const { caps, lastActiveMs, socket, place } = connection;
  return {
    connection,
    canMove: caps.has("migrate"),
    lastActiveMs,
    edge: socket.arrival.edge,
    key: place.key,
    partition: place.partition,
  };
}

/**
 * Those that can move first, longest idle first (bulk moves at quiet moments) or shuffled (steps that are judged need a fair sample);
 * then those that can only be cut.
 * @param random in [0, 1).
 */
export function orderCandidates<C extends Candidate>(
  candidates: readonly C[],
  selection: Selection,
  random: () => number,
): readonly C[] {
  const chosen = candidates.filter(
    ({ edge, key, partition }) =>
      (selection.edge === undefined || edge === selection.edge) &&
      (selection.key === undefined || key === selection.key) &&
      (selection.partition === undefined || partition === selection.partition),
  );
  const keyed = chosen.map((candidate) => ({
    candidate,
    key: selection.order === "sample" ? random() : candidate.lastActiveMs,
  }));
  keyed.sort((a, b) => Number(b.candidate.canMove) - Number(a.candidate.canMove) || a.key - b.key);
  return keyed.map(({ candidate }) => candidate);
}
