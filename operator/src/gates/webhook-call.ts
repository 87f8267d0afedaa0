// One call of a webhook: name resolved once and checked, then connected to exactly that address; no redirect is followed and no
// byte of the answer is read. Not here: when it is called, and what its answer does to a rollout (webhooks.ts).
import { lookup } from "node:dns/promises";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP } from "node:net";
import { type AllowList, areAddressesAllowed, isForbidden, isHostAllowed } from "./webhook-address.ts";

export type WebhookAnswer =
  | { readonly kind: "yes" }
  | { readonly kind: "no"; readonly why: string }
  /** It may be asked again. */
  | { readonly kind: "unclear"; readonly why: string };

export type WebhookCall = {
  readonly url: string;
  readonly body: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
};

export type WebhookCaller = (call: WebhookCall) => Promise<WebhookAnswer>;

export type CallerOptions = {
  readonly allowed: AllowList;
  /** All addresses of a name. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** For tests, which can serve on loopback only. */
  readonly isForbidden?: (address: string) => boolean;
};

const ANSWER_HEADER_BYTES = 16 * 1024;

export function createWebhookCaller(options: CallerOptions): WebhookCaller {
  const resolve =
    options.resolve ?? (async (host) => (await lookup(host, { all: true })).map(({ address }) => address));
  return async (call) => {
    const url = URL.canParse(call.url) ? new URL(call.url) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
      return { kind: "unclear", why: "its URL is no http or https URL without a password" };
    }
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const { allowed } = options;
    if (allowed.isEmpty) return { kind: "unclear", why: notAllowed(host) };
    let addresses: readonly string[];
    try {
      addresses = isIP(host) === 0 ? await resolve(host) : [host];
    } catch (error) {
      return { kind: "unclear", why: `the name ${host} cannot be resolved: ${codeOf(error)}` };
    }
    if (!isHostAllowed(allowed, host) && !areAddressesAllowed(allowed, addresses)) {
      return { kind: "unclear", why: notAllowed(host) };
    }
    // One bad address is enough: which of them would be connected to is up to chance.
    const bad = addresses.find(options.isForbidden ?? isForbidden);
    const address = addresses[0];
    if (bad !== undefined || address === undefined) {
      return {
        kind: "unclear",
        why: `${host} has an address that is never called (${bad ?? "none"}): loopback, link-local, metadata or multicast`,
      };
    }
    return post(url, address, call);
  };
}

function notAllowed(host: string): string {
  return `the host ${host} is not allowed: add it to the operator's --webhook-allow (chart value webhookAllow)`;
}

function post(url: URL, address: string, { body, timeoutMs, signal }: WebhookCall): Promise<WebhookAnswer> {
  const limit = AbortSignal.timeout(timeoutMs);
  const isTls = url.protocol === "https:";
  const send = isTls ? requestHttps : requestHttp;
  return new Promise((resolve) => {
    const outgoing = send(url, {
      method: "POST",
      agent: false,
      maxHeaderSize: ANSWER_HEADER_BYTES,
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      // The name is not resolved again: it might lead elsewhere by then.
      lookup: (_host, asked, callback) => {
        const family = isIP(address);
        if (asked.all === true) callback(null, [{ address, family }]);
        else callback(null, address, family);
      },
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "user-agent": "wscluster-operator",
      },
    });
    const finish = (answer: WebhookAnswer): void => {
      resolve(answer);
      outgoing.destroy();
    };
    outgoing.on("response", ({ statusCode = 0 }) => finish(answerOf(statusCode)));
    outgoing.on("error", (error) =>
      finish({ kind: "unclear", why: limit.aborted ? `no answer within ${timeoutMs / 1_000} s` : codeOf(error) }),
    );
    outgoing.end(body);
  });
}

function answerOf(status: number): WebhookAnswer {
  if (status === 200) return { kind: "yes" };
  if (status >= 400 && status < 500) return { kind: "no", why: `it answers ${status}` };
  if (status >= 300 && status < 400)
    return { kind: "unclear", why: `it answers ${status}, and redirects are not followed` };
  return { kind: "unclear", why: `it answers ${status}` };
}

/** What an error says, without what the other side wrote. */
function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "it cannot be called";
}
