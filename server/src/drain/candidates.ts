// Who is asked to move, in which order. Pure. Not here: when (pacing.ts).

export type Candidate = {
  /** Understands `migrate`. */
  readonly canMove: boolean;
  readonly lastActiveMs: number;
  readonly edge: string;
};

export type Selection = { readonly edge?: string; readonly order?: "idle" | "sample" };

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
  const chosen = candidates.filter(({ edge }) => selection.edge === undefined || edge === selection.edge);
  const keyed = chosen.map((candidate) => ({
    candidate,
    key: selection.order === "sample" ? random() : candidate.lastActiveMs,
  }));
  keyed.sort((a, b) => Number(b.candidate.canMove) - Number(a.candidate.canMove) || a.key - b.key);
  return keyed.map(({ candidate }) => candidate);
}
