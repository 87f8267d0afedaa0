// One write per socket and turn of the event loop: channels hand over first, then sockets send what has gathered. While nothing is
// going on there is no delay and no timer. Not here: what is sent.

export interface Flushable {
  flush(): void;
}

export class OutputTick {
  #channels: Flushable[] = [];
  #sockets: Flushable[] = [];
  #planned = false;
  readonly #run = () => this.run();

  markChannel(channel: Flushable): void {
    this.#channels.push(channel);
    this.#plan();
  }

  markSocket(socket: Flushable): void {
    this.#sockets.push(socket);
    this.#plan();
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    setImmediate(this.#run);
  }

  /** Sends everything now. */
  run(): void {
    this.#planned = false;
    const channels = this.#channels;
    this.#channels = [];
    for (const channel of channels) channel.flush();
    const sockets = this.#sockets;
    this.#sockets = [];
    for (const socket of sockets) socket.flush();
  }
}
