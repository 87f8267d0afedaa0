// Bytes of all sockets, those that are gone included, without a counter on the way of a message: TCP counts them anyway.

export type ByteCounts = { readonly bytesRead: number; readonly bytesSent: number };

export class Traffic {
  #readBefore = 0;
  #sentBefore = 0;

  /** The socket is gone; its counts stay. */
  closed(socket: ByteCounts): void {
    this.#readBefore += socket.bytesRead;
    this.#sentBefore += socket.bytesSent;
  }

  /** Since the start. @param open sockets that were not reported as closed. */
  totals(open: Iterable<ByteCounts>): ByteCounts {
    let bytesRead = this.#readBefore;
    let bytesSent = this.#sentBefore;
    for (const socket of open) {
      bytesRead += socket.bytesRead;
      bytesSent += socket.bytesSent;
    }
    return { bytesRead, bytesSent };
  }
}
