// Reads of streams, gathered: a pod whose clients come back by the thousand asks the store once per slot and turn of the event loop, not
// once per channel. Not here: when a stream is read (hub/), and how answers of scripts look beyond it (replies.ts).

import { slotOf } from "../slots.ts";
import type { Life, Page } from "../port.ts";
import { list, text } from "./replies.ts";
import { publicationOf } from "./stored-message.ts";

/** Streams of one script at most: the store does nothing else while it runs. */
const MOST_AT_ONCE = 32;

type Read = {
  readonly stream: string;
  readonly after: number;
  readonly limit: number;
  readonly resolve: (page: Page) => void;
  readonly reject: (error: unknown) => void;
};

/** Asks for pages of streams that are all of one slot; resolves to the script's answer. */
export type ReadPages = (reads: readonly Pick<Read, "stream" | "after" | "limit">[]) => Promise<unknown>;

export class StreamReads {
  readonly #ask: ReadPages;
  readonly #waiting = new Map<number, Read[]>();

  constructor(ask: ReadPages) {
    this.#ask = ask;
  }

  /** Publications after `after`, oldest first, with the stream's top. */
  read(stream: string, after: number, limit: number): Promise<Page> {
    return new Promise((resolve, reject) => {
      // After all sockets that have something to say now: those who resume at the same moment share the question.
      if (this.#waiting.size === 0) setImmediate(() => this.#flush());
      const slot = slotOf(stream);
      const waiting = this.#waiting.get(slot) ?? [];
      this.#waiting.set(slot, waiting);
      waiting.push({ stream, after, limit, resolve, reject });
    });
  }

  #flush(): void {
    const slots = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const reads of slots) {
      for (let first = 0; first < reads.length; first += MOST_AT_ONCE) {
        void this.#readAll(reads.slice(first, first + MOST_AT_ONCE));
      }
    }
  }

  async #readAll(reads: readonly Read[]): Promise<void> {
    try {
      const pages = list(await this.#ask(reads));
      for (const [at, { stream, resolve }] of reads.entries()) resolve(pageOf(stream, pages[at]));
    } catch (error) {
      for (const { reject } of reads) reject(error);
    }
  }
}

function pageOf(stream: string, reply: unknown): Page {
  const [epoch, top, lives, items] = list(reply);
  return {
    top: { epoch: text(epoch), top: Number(text(top)), lives: JSON.parse(text(lives)) as readonly Life[] },
    items: list(items).flatMap((item) => {
      const message = list(list(item)[1])[1];
      const publication = Buffer.isBuffer(message) ? publicationOf(stream, message) : undefined;
      return publication ? [publication] : [];
    }),
  };
}
