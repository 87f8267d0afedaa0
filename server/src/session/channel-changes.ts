// What a session's source changed between the two phases of a move. Pure. Not here: subscribing.

export type ChannelChanges = { readonly added: readonly string[]; readonly ended: readonly string[] };

/**
 * @param prepared channels of the row when the move was prepared.
 * @param committed those when it was committed.
 * @param served channels that this socket serves already: the client may have named some that the row does not know yet.
 */
export function changesSince(
  prepared: readonly string[],
  committed: readonly string[],
  served: { has(channel: string): boolean },
): ChannelChanges {
  const now = new Set(committed);
  return {
    added: committed.filter((channel) => !prepared.includes(channel) && !served.has(channel)),
    ended: prepared.filter((channel) => !now.has(channel)),
  };
}
