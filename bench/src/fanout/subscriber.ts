// One authenticated client of a contender on a raw socket, subscribed before it is handed out.
import type { Running } from "../rivals/running.ts";
import { RawSocket, type RawSocketOptions } from "./raw-socket.ts";

const MESSAGE_BYTES = 128;

export type SubscriberOptions = Pick<RawSocketOptions, "localAddress" | "onMessages" | "onClosed">;

/**
 * Resolves when all channels are joined; without channels, at the server's first answer. Rejects when the server closes before.
 * @param index names the user.
 */
export async function openSubscriber(
  running: Running,
  index: number,
  channels: readonly string[],
  options: SubscriberOptions = {},
): Promise<RawSocket> {
  const { contender, port } = running;
  const { text, per } = contender.joined;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = await RawSocket.open({
    ...options,
    port,
    path: contender.path,
    ...(contender.subprotocol ? { subprotocol: contender.subprotocol } : {}),
    messageBytes: channels.length === 0 ? Number.MAX_SAFE_INTEGER : MESSAGE_BYTES,
    lines: contender.lines,
    onClosed: () => {
      reject(new Error(`${contender.name} closed the connection of user ${index}`));
      options.onClosed?.();
    },
  });
  const wanted = per === "channel" ? Math.max(1, channels.length) : 1;
  const awaited = channels.length === 0 && per === "channel" ? "" : text;
  let seen = 0;
  socket.stream.onText = (payload) => {
    seen += awaited === "" ? 1 : payload.toString("latin1").split(awaited).length - 1;
    if (seen < wanted) return;
    socket.stream.onText = undefined;
    resolve();
  };
  socket.send(contender.join(index, channels));
  await promise;
  return socket;
}
