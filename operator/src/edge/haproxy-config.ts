// Text of haproxy.cfg for HAProxy 2.6 and newer. Pure. Servers are not in it: the agent adds them at run time, so nothing that
// happens to pods ever needs a reload, which would fork a process that keeps old sockets (haproxy/haproxy#228, ingress-nginx#2461).
import { PORTS } from "@wscluster/crds";
import { ADMISSION, EDGE_HEADER, POD_HEADER } from "@wscluster/protocol";

/** Names inside the configuration that the agent speaks about. */
export const PROXY = { frontend: "fe_clients", backend: "be_pods" } as const;

/**
 * The map that leads a part of the unnamed arrivals to chosen servers: `percent`, and slot -> KEY. It lives in the process only and
 * is replaced as a whole by one transaction. HAProxy wants a file for it; one that is always there and always empty will do.
 */
export const SHARE_MAP = { id: "/dev/null", percentKey: "percent", slots: 360 } as const;

/** The storm brake: variables of the whole proxy, and one row that counts. */
export const BRAKE = {
  limit: "proc.admit_limit",
  window: "proc.window_ms",
  retryAfter: "proc.retry_after",
  table: "st_arrivals",
} as const;

/** Paths that the edge answers by itself. */
export const EDGE_CLIENT_PATHS = { healthz: "/edge-healthz", admission: ADMISSION.path } as const;

export type HaproxyConfigOptions = {
  /** Path of the runtime socket; the agent in the same pod connects to it. */
  readonly socketPath: string;
  /** Most client connections (10 to 1,000,000), two files each. The last tenth is kept for named arrivals. */
  readonly maxConnections: number;
  /** Where clients connect. Default `:8000`. */
  readonly bind?: string;
  /** Where the kubelet probes. Apart from the clients' port, so that a full edge is never restarted. Default `:8002`. */
  readonly healthBind?: string;
  /** What those are told who come while there is no room at all, in ms. In a storm the agent sets the window. Default 3,000. */
  readonly windowMs?: number;
  /** Longest silence of a socket in seconds; must be well above the heartbeat. Default 3,600. */
  readonly tunnelSeconds?: number;
  /** Threads; HAProxy's default is one for each CPU of the node, whatever the container's limit. */
  readonly threads?: number;
};

/** Files beside two for each connection: listeners, runtime socket, logs, and one health check for each server. */
const SPARE_FILES = 900;
export const DEFAULT_WINDOW_MS = 3_000;
/** Connections above the limit that are still accepted, in order to say 503 at once instead of leaving them in the backlog. */
const REFUSAL_SLOTS = 50;

/** Connections from which unnamed arrivals are refused; the rest is for moves, which need two sockets for a moment. */
export function unnamedLimitFor(maxConnections: number): number {
  return maxConnections - Math.floor(maxConnections / 10);
}

/**
 * Renders haproxy.cfg. Decisions:
 * - A named arrival (`?pod=KEY&ticket=T`) goes to the server KEY, also while that drains. A KEY that is not known is answered 421
 *   here: balancing it would only make a pod that it does not mean answer the same. `pod` without `ticket` is 403. The ticket
 *   itself is judged by the pod. A KEY whose server is down falls to another pod, which answers 421: the client stays where it is.
 * - All pods are in one backend: `leastconn` must also count the sockets that came by name.
 * - Only failed connects are tried again. Once the request was sent it may have become a socket.
 * - A failing check stops unnamed arrivals and never closes a socket (no `on-marked-down`).
 * - There is no `hard-stop-after`: sockets are moved away, not cut.
 * - Run it with `-db` (no daemon, no master): SIGUSR1 is then its soft stop. `WSC_POD_UID` must be in its environment.
 */
export function renderHaproxyConfig(options: HaproxyConfigOptions): string {
  const { socketPath, maxConnections, bind = `:${PORTS.edge}`, healthBind = `:${PORTS.edgeHealth}` } = options;
  const windowMs = Math.round(options.windowMs ?? DEFAULT_WINDOW_MS);
  const frontendLimit = maxConnections + REFUSAL_SLOTS;
  const sections = [
    globalSection({
      socketPath,
      files: 2 * frontendLimit + SPARE_FILES,
      windowMs,
      threads: options.threads,
    }),
    defaultsSection(options.tunnelSeconds ?? 3_600),
    clientsSection({ bind, maxConnections, frontendLimit, windowMs }),
    podsSection(),
    healthSection(healthBind),
    [
      `backend ${BRAKE.table}`,
      "  stick-table type integer size 10 expire 1h store gpc0,gpc0_rate(1s),gpc1,gpc1_rate(10s)",
    ],
  ];
  return `${sections.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function globalSection(part: {
  socketPath: string;
  files: number;
  windowMs: number;
  threads: number | undefined;
}): string[] {
  return [
    "global",
    "  log stdout format raw local0 info",
    `  stats socket ${part.socketPath} mode 600 level admin`,
    // The agent keeps one connection open to learn at once that the proxy went away.
    "  stats timeout 1h",
    // Not `maxconn`: that refuses to start where the hard limit of open files is lower. So the lower of both counts.
    `  fd-hard-limit ${part.files}`,
    ...(part.threads === undefined ? [] : [`  nbthread ${part.threads}`]),
    "  set-var proc.edge_key env(WSC_POD_UID),regsub(-,,g),bytes(0,16)",
    // Of the storm brake; the agent sets them. No limit, no window.
    `  set-var ${BRAKE.limit} int(0)`,
    `  set-var ${BRAKE.window} int(0)`,
    `  set-var ${BRAKE.retryAfter} int(${Math.max(1, Math.ceil(part.windowMs / 1_000))})`,
  ];
}

function defaultsSection(tunnelSeconds: number): string[] {
  return [
    "defaults",
    "  mode http",
    "  log global",
    "  option disable-h2-upgrade",
    "  timeout http-request 10s",
    "  timeout http-keep-alive 1s",
    "  timeout connect 3s",
    "  timeout client 30s",
    "  timeout server 30s",
    "  timeout queue 5s",
    "  timeout check 5s",
    `  timeout tunnel ${tunnelSeconds}s`,
    "  timeout client-fin 5s",
    "  timeout server-fin 5s",
    // Peers that vanished without a word (node loss) must not hold files until the tunnel's time is over.
    "  option clitcpka",
    "  clitcpka-idle 60s",
    "  clitcpka-intvl 10s",
    "  clitcpka-cnt 3",
    "  option srvtcpka",
    "  srvtcpka-idle 30s",
    "  srvtcpka-intvl 10s",
    "  srvtcpka-cnt 3",
    "  retries 3",
    "  option redispatch 1",
    "  retry-on conn-failure",
    `  http-error status 503 ${answerLater("unavailable")}`,
  ];
}

/** Headers and body of a refusal. CORS, because the SDK asks by `fetch` what a failed WebSocket does not tell a browser. */
function answer(code: string, ...more: string[]): string {
  return [
    `content-type application/json string '{"code":"${code}"}'`,
    "hdr cache-control no-store",
    // A refused client must not keep its place for the keep-alive time.
    "hdr connection close",
    'hdr access-control-allow-origin "*"',
    ...more,
  ].join(" ");
}

/** A refusal that is worth another try. */
function answerLater(code: string): string {
  return answer(code, `hdr retry-after "%[var(${BRAKE.retryAfter})]"`);
}

/** What the SDK asks after a connect that failed: a browser sees no 503. */
function admissionRule(admit: "true" | "false", windowMs: string, condition = ""): string {
  const body = `'{"admit":${admit},"windowMs":${windowMs}}'`;
  const headers = 'hdr cache-control no-store hdr access-control-allow-origin "*"';
  const when = `if { path ${EDGE_CLIENT_PATHS.admission} } ${condition}`.trimEnd();
  return `  http-request return status 200 content-type application/json lf-string ${body} ${headers} ${when}`;
}

function clientsSection(part: {
  bind: string;
  maxConnections: number;
  frontendLimit: number;
  windowMs: number;
}): string[] {
  const { bind, maxConnections, frontendLimit, windowMs } = part;
  return [
    `frontend ${PROXY.frontend}`,
    `  bind ${bind}`,
    `  maxconn ${frontendLimit}`,
    // An arrival is logged when it is answered, not hours later when the socket ends: the pace of moves is measured here.
    "  option logasap",
    "  option dontlognull",
    `  log-format '${LOG_FORMAT}'`,
    "  acl is_upgrade hdr(upgrade) -i websocket",
    "  acl has_pod var(txn.pod) -m found",
    "  acl is_key var(txn.pod) -m reg ^[0-9a-f]{16}$",
    "  acl has_ticket url_param(ticket) -m found",
    `  http-request set-log-level silent if { path ${EDGE_CLIENT_PATHS.healthz} ${EDGE_CLIENT_PATHS.admission} }`,
    `  http-request return status 200 content-type text/plain string ok if { path ${EDGE_CLIENT_PATHS.healthz} }`,
    // Only what is let in is counted, so that those who try again and again do not keep everybody out.
    `  http-request track-sc0 int(1) table ${BRAKE.table}`,
    `  acl is_braked var(${BRAKE.limit}) -m int gt 0`,
    `  acl is_over sc0_gpc0_rate,sub(${BRAKE.limit}) -m int ge 0`,
    `  acl is_full fe_conn gt ${unnamedLimitFor(maxConnections)}`,
    `  acl is_empty nbsrv(${PROXY.backend}) eq 0`,
    admissionRule("false", `%[var(${BRAKE.window})]`, "is_braked is_over"),
    admissionRule("false", String(windowMs), "is_full"),
    admissionRule("false", String(windowMs), "is_empty"),
    admissionRule("true", `%[var(${BRAKE.window})]`),
    `  http-request return status 426 ${answer("upgrade-required", "hdr upgrade websocket")} if !is_upgrade`,
    "  http-request set-var(txn.named) int(0)",
    "  http-request set-var(txn.pod) url_param(pod)",
    "  http-request set-var(txn.named) int(1) if has_pod",
    `  http-request return status 403 ${answer("ticket-required")} if has_pod !has_ticket`,
    `  http-request return status 421 ${answer("unknown-pod")} if has_pod !is_key`,
    `  http-request return status 503 ${answerLater("edge-full")} if { fe_conn gt ${maxConnections} }`,
    `  http-request return status 503 ${answerLater("edge-full")} if !has_pod is_full`,
    `  http-request return status 503 ${answerLater("no-capacity")} if !has_pod is_empty`,
    "  http-request sc-inc-gpc1(0) if !has_pod is_braked is_over",
    `  http-request return status 503 ${answerLater("too-many-arrivals")} if !has_pod is_braked is_over`,
    "  http-request sc-inc-gpc0(0) if !has_pod",
    // What a client says about pod and edge is never believed.
    `  http-request del-header ${POD_HEADER}`,
    `  http-request set-header ${EDGE_HEADER} %[var(proc.edge_key)]`,
    // Appends: the last address is the one that this edge saw.
    "  option forwardfor",
    `  default_backend ${PROXY.backend}`,
  ];
}

// One JSON line per arrival. `t` = accepted, ms since 1970. No URL: the query carries the ticket.
const LOG_FORMAT = `{${[
  '"t":%Ts%ms',
  '"from":"%ci:%cp"',
  '"status":%ST',
  '"pod":"%s"',
  '"named":"%[var(txn.named)]"',
  '"connectMs":%Tc',
  '"answerMs":%Tr',
  '"connections":%fc',
  '"end":"%ts"',
].join(",")}}`;

function podsSection(): string[] {
  return [
    `backend ${PROXY.backend}`,
    "  balance leastconn",
    // A kept idle connection would stand in the way of `del server`.
    "  http-reuse never",
    // The server's name goes out with upgrades and checks; a pod that is not it answers 421, so a reused address
    // never leads into another fleet.
    `  http-send-name-header ${POD_HEADER}`,
    "  option httpchk",
    `  http-check send meth GET uri /livez ver HTTP/1.1 hdr host edge hdr ${POD_HEADER} "%[srv_name]"`,
    "  http-check expect status 200",
    // The converter finds nothing for a name that no server has.
    `  http-request set-var(txn.known) var(txn.pod),srv_queue if { var(txn.pod) -m found }`,
    `  http-request return status 421 ${answer("unknown-pod")} if { var(txn.pod) -m found } !{ var(txn.known) -m found }`,
    // A throw of the dice decides whether an unnamed arrival belongs to the part that is led away, another one to which of its
    // servers. Those are in drain, so that `leastconn` gives them nobody else; a dead one leaves its part to the others.
    `  http-request set-var(txn.percent) str(${SHARE_MAP.percentKey}),map(${SHARE_MAP.id}) if !{ var(txn.pod) -m found }`,
    "  http-request set-var(txn.dice) rand(100) if { var(txn.percent) -m found }",
    `  http-request set-var(txn.share) rand(${SHARE_MAP.slots}),map(${SHARE_MAP.id}) if { var(txn.percent),sub(txn.dice) -m int gt 0 }`,
    "  use-server %[var(txn.pod)] if { var(txn.pod) -m found }",
    "  use-server %[var(txn.share)] if { var(txn.share) -m found }",
  ];
}

function healthSection(healthBind: string): string[] {
  return ["frontend fe_health", `  bind ${healthBind}`, `  monitor-uri ${EDGE_CLIENT_PATHS.healthz}`];
}
