// Calls of clients to routes of the application: functions in this process, or HTTP services. What is promised: a route that is not
// declared idempotent is called once at most; if nobody can say whether it did its work, the client is told just that.
// Not here: frames (requests.ts), HTTP (http-route.ts).

import type { SessionHandle } from "../app/session-handle.ts";
import { Breaker } from "./breaker.ts";

export type RouteCall = {
  readonly route: string;
  readonly data: unknown;
  /** JSON text of `data`, as it came. */
  readonly text: string;
  readonly session: SessionHandle;
  /** The same in each try of this call: what a service needs to do it once. */
  readonly key: string;
  /** Fires when nobody waits any more. */
  readonly signal: AbortSignal;
};

/** Returns what is sent to the client. Throw `RouteError` to say why not. */
export type RouteHandler = (data: unknown, call: RouteCall) => unknown;

type RouteOptions = {
  /** Default 5 s. */
  readonly timeoutMs?: number;
  /** Calling it twice with one key is as good as once. Default false. */
  readonly idempotent?: boolean;
};

export type Route = RouteOptions & ({ readonly handler: RouteHandler } | { readonly url: string });
export type Routes = Readonly<Record<string, Route>>;

/** Refuses a call; the client gets the message. */
export class RouteError extends Error {
  readonly code = "route-failed";
}

export type RouteResult =
  | { readonly kind: "answer"; readonly text: string }
  | { readonly kind: "no-route" }
  | { readonly kind: "failed"; readonly message: string }
  /** Nothing was done. */
  | { readonly kind: "unavailable"; readonly afterMs?: number }
  | { readonly kind: "unknown" };

/** How a try ended. `maybe`: it was called, and nobody knows what became of it. */
export type Try = RouteResult | { readonly kind: "maybe" };

export type Caller = (url: string, call: RouteCall) => Promise<Try>;

const TIMEOUT_MS = 5_000;
const RETRY_MS = 100;

export class Router {
  readonly #routes: () => Routes;
  readonly #callUrl: Caller;
  readonly #now: () => number;
  readonly #onFault: (route: string, error: unknown) => void;
  readonly #breakers = new Map<string, Breaker>();

  constructor(parts: {
    readonly routes: () => Routes;
    readonly callUrl: Caller;
    readonly now: () => number;
    readonly onFault: (route: string, error: unknown) => void;
  }) {
    this.#routes = parts.routes;
    this.#callUrl = parts.callUrl;
    this.#now = parts.now;
    this.#onFault = parts.onFault;
  }

  /** @param again an earlier try may have been heard, here or on another pod. */
  async call(wanted: Omit<RouteCall, "signal">, again: boolean, timeoutMs = Infinity): Promise<RouteResult> {
    const routes = this.#routes();
    const route = Object.hasOwn(routes, wanted.route) ? routes[wanted.route] : undefined;
    if (!route) return { kind: "no-route" };
    if (again && !route.idempotent) return { kind: "unknown" };
    const breaker = this.#breakerOf(wanted.route);
    const endMs = this.#now() + Math.min(timeoutMs, route.timeoutMs ?? TIMEOUT_MS);
    for (;;) {
      const waitMs = breaker.waitMs();
      if (waitMs > 0) return { kind: "unavailable", afterMs: waitMs };
      const result = await this.#try(route, wanted, Math.max(1, endMs - this.#now()));
      breaker.tell(result.kind !== "maybe" && result.kind !== "unavailable");
      const canTryAgain = this.#now() + RETRY_MS < endMs;
      if (result.kind === "maybe") {
        if (!route.idempotent) return { kind: "unknown" };
        if (!canTryAgain) return { kind: "unavailable" };
      } else if (result.kind !== "unavailable" || !canTryAgain) return result;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #try(route: Route, wanted: Omit<RouteCall, "signal">, leftMs: number): Promise<Try> {
    const abort = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Try>((resolve) => {
      timer = setTimeout(() => {
        resolve({ kind: "maybe" });
        abort.abort();
      }, leftMs);
    });
    const call = { ...wanted, signal: abort.signal };
    const made = "url" in route ? this.#callUrl(route.url, call) : this.#callHandler(route.handler, call);
    return Promise.race([made, late]).finally(() => clearTimeout(timer));
  }

  async #callHandler(handler: RouteHandler, call: RouteCall): Promise<Try> {
    try {
      const value = await handler(call.data, call);
      return { kind: "answer", text: JSON.stringify(value ?? null) };
    } catch (error) {
      if (error instanceof RouteError) return { kind: "failed", message: error.message };
      this.#onFault(call.route, error);
      return { kind: "failed", message: "The route failed." };
    }
  }

  #breakerOf(name: string): Breaker {
    const known = this.#breakers.get(name);
    if (known) return known;
    const breaker = new Breaker(this.#now);
    this.#breakers.set(name, breaker);
    return breaker;
  }
}
