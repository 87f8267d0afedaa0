// The address that limits count by. Pure.

/**
 * @param forwarded value of the header that a trusted proxy sets. Only its last entry is the proxy's own; what stands before came from
 * the client.
 */
export function addressOf(forwarded: string | undefined, peer: string | undefined): string {
  const last = forwarded?.split(",").at(-1)?.trim();
  const address = last === undefined || last === "" ? (peer ?? "") : last;
  // One client over IPv4 and over the mapped form of it is one client.
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}
