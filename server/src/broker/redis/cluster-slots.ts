// Which node of a Redis Cluster has which slot. Pure. Not here: asking (cluster-map.ts).

export const CLUSTER_SLOTS = 16_384;

/** CRC16-CCITT of the key's hash tag, as the cluster specification has it. */
export function clusterSlotOf(key: string): number {
  const open = key.indexOf("{");
  const close = key.indexOf("}", open + 1);
  const hashed = open !== -1 && close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc % CLUSTER_SLOTS;
}

export type SlotRange = { readonly first: number; readonly last: number; readonly address: string };

/** @param reply of CLUSTER SLOTS, texts as buffers; `asked` = host of the node that answered, which may not know its own name. */
export function slotRangesOf(reply: unknown, asked: string): readonly SlotRange[] {
  if (!Array.isArray(reply)) return [];
  return (reply as readonly unknown[]).flatMap((entry) => {
    if (!Array.isArray(entry)) return [];
    const [first, last, primary] = entry as readonly unknown[];
    if (typeof first !== "number" || typeof last !== "number" || !Array.isArray(primary)) return [];
    const [host, port] = primary as readonly unknown[];
    const name = Buffer.isBuffer(host) ? host.toString() : "";
    return typeof port === "number" ? [{ first, last, address: `${name || asked}:${port}` }] : [];
  });
}
