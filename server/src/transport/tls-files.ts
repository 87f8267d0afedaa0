// The certificate of the client port from files, read anew when they change: cert-manager replaces them long before they end, and no
// connection may have to end for it. Not here: the port (front.ts).

import { X509Certificate, createPrivateKey } from "node:crypto";
import { readFile } from "node:fs/promises";

export type TlsPair = { readonly cert: string; readonly key: string };

export type TlsFilesOptions = {
  readonly certFile: string;
  readonly keyFile: string;
  readonly onProblem: (message: string) => void;
  /** Milliseconds between looks. A mounted Secret is replaced by swapping a symbolic link, which file watchers miss. */
  readonly everyMs?: number;
};

const EVERY_MS = 10_000;

export class TlsFilesError extends Error {
  readonly code = "tls-files";
}

export class TlsFiles {
  readonly #options: TlsFilesOptions;
  #pair: TlsPair | undefined;
  #problem = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TlsFilesOptions) {
    this.#options = options;
  }

  /** @throws TlsFilesError when there is no usable pair: a server without one would let nobody in. */
  async first(): Promise<TlsPair> {
    const { certFile, keyFile } = this.#options;
    try {
      this.#pair = await this.#read();
      return this.#pair;
    } catch (error) {
      throw new TlsFilesError(
        `cannot use the certificate of ${certFile} with the key of ${keyFile}: ${textOf(error)}; correct the files or unset WSC_TLS_CERT_FILE`,
      );
    }
  }

  /** Calls back with each new pair. One that does not fit, or cannot be read, changes nothing and is told once. */
  watch(onPair: (pair: TlsPair) => void): void {
    this.#timer = setInterval(() => void this.#look(onPair), this.#options.everyMs ?? EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(onPair: (pair: TlsPair) => void): Promise<void> {
    try {
      const pair = await this.#read();
      this.#problem = "";
      if (pair.cert === this.#pair?.cert && pair.key === this.#pair.key) return;
      this.#pair = pair;
      onPair(pair);
    } catch (error) {
      const problem = textOf(error);
      if (problem === this.#problem) return;
      this.#problem = problem;
      this.#options.onProblem(problem);
    }
  }

  async #read(): Promise<TlsPair> {
    const { certFile, keyFile } = this.#options;
    const [cert, key] = await Promise.all([readFile(certFile, "utf8"), readFile(keyFile, "utf8")]);
    // In the moment in which one of them is replaced and the other is not yet, they do not fit.
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
      throw new TlsFilesError("the certificate and the key are not a pair");
    }
    return { cert, key };
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
