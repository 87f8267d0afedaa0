// Reads a stream of server frames and counts messages by the frames' heads alone; payloads are gathered only while somebody wants them.
// Not here: sockets. Not for use elsewhere: no fragments, no compression, no checks.

const TEXT = 0x1;
const PING = 0x9;
const LINE_BREAK = 0x0a;
const NOTHING = Buffer.alloc(0);

export type FrameStreamOptions = {
  /** Text frames below it are no messages (answers, pings). Bytes of payload. */
  readonly messageBytes: number;
  /** Whether a frame may hold several messages, one a line. */
  readonly lines: boolean;
  /** Called once per frame that holds messages. */
  onMessages(count: number): void;
  /** Called for each ping of the protocol. */
  onPing(payload: Buffer): void;
};

export class FrameStream {
  /** While set, gets the payload of each text frame. */
  onText: ((payload: Buffer) => void) | undefined;
  readonly #options: FrameStreamOptions;
  readonly #head = Buffer.alloc(10);
  #headLength = 0;
  #headWanted = 2;
  #opcode = 0;
  #length = 0;
  #left = 0;
  #breaks = 0;
  #gathered: Buffer[] = [];
  #isInPayload = false;

  constructor(options: FrameStreamOptions) {
    this.#options = options;
  }

  /** @param data may be used again by the caller afterwards. */
  push(data: Buffer, end = data.length): void {
    let at = 0;
    while (at < end) {
      if (!this.#isInPayload) {
        this.#pushHead(data[at] ?? 0);
        at += 1;
        if (this.#isInPayload && this.#left === 0) this.#finish();
        continue;
      }
      const to = Math.min(end, at + this.#left);
      if (this.onText || this.#opcode === PING) this.#gathered.push(Buffer.from(data.subarray(at, to)));
      if (this.#options.lines) this.#countBreaks(data, at, to);
      this.#left -= to - at;
      at = to;
      if (this.#left === 0) this.#finish();
    }
  }

  #pushHead(byte: number): void {
    const head = this.#head;
    head[this.#headLength] = byte;
    this.#headLength += 1;
    if (this.#headLength === 2) this.#headWanted = byte < 126 ? 2 : byte === 126 ? 4 : 10;
    if (this.#headLength < this.#headWanted) return;
    this.#opcode = (head[0] ?? 0) & 0x0f;
    const short = (head[1] ?? 0) & 0x7f;
    this.#length = short < 126 ? short : short === 126 ? head.readUInt16BE(2) : Number(head.readBigUInt64BE(2));
    this.#left = this.#length;
    this.#headLength = 0;
    this.#headWanted = 2;
    this.#isInPayload = true;
  }

  #countBreaks(data: Buffer, from: number, to: number): void {
    for (let at = data.indexOf(LINE_BREAK, from); at >= 0 && at < to; at = data.indexOf(LINE_BREAK, at + 1))
      this.#breaks += 1;
  }

  #finish(): void {
    const gathered = this.#gathered;
    const breaks = this.#breaks;
    this.#isInPayload = false;
    this.#breaks = 0;
    if (gathered.length > 0) this.#gathered = [];
    if (this.#opcode === PING) this.#options.onPing(gathered.length > 0 ? Buffer.concat(gathered) : NOTHING);
    if (this.#opcode !== TEXT) return;
    if (this.#length >= this.#options.messageBytes) this.#options.onMessages(1 + breaks);
    this.onText?.(gathered.length === 1 && gathered[0] ? gathered[0] : Buffer.concat(gathered));
  }
}
