// Tokens that end while the client is connected. Not here: the token of a new connection (`connect`).

import type { ServerFrame } from "@wscluster/protocol";
import type { Client } from "./client.ts";
import { isClientError } from "./errors.ts";
import { ask } from "./service.ts";

/**
 * Gives the server a new token whenever it says that the present one ends, so that the connection goes on. Without this the connection
 * is closed when its token ends, and the client comes back with a new one. Returns the function that stops it.
 * @param token as for `connect`.
 * @param onError the server refused the new token, or `token` failed; the connection ends with the old token.
 */
export function keepTokenFresh(
  client: Client,
  token: () => string | Promise<string>,
  onError: (error: unknown) => void = () => {},
): () => void {
  const tap = (frame: ServerFrame): void => {
    if (frame.t === "refresh.needed") refresh().catch(onError);
  };
  const refresh = async (): Promise<void> => {
    try {
      await ask(client, "renew the token", { t: "refresh", token: await token() });
    } catch (error) {
      // The end of the client is told elsewhere.
      if (!isClientError(error, "closed") && !isClientError(error, "given-up")) throw error;
    }
  };
  client.wire.taps.add(tap);
  return () => void client.wire.taps.delete(tap);
}
