// One operator process for tests: caches, controller, fencing, poller and writer, put together as run-operator.ts does, without
// election. It can stand still or die before or after any call that leaves it. Test code only.
import { ContractWriter } from "../../contract/writer.ts";
import type { JsonSender } from "../../contract/http-json.ts";
import { StatePoller } from "../../contract/poller.ts";
import type { KubeApi } from "../../kube/index.ts";
import { type Clock, Controller, type PassReport } from "../../runtime/index.ts";
import { Caches } from "../caches.ts";
import { ClusterReconciler, type ControllerPorts } from "../controller.ts";
import type { OperatorDefaults } from "../facts.ts";
import { Fencing } from "../fencing.ts";

const NEVER = new Promise<never>(() => {});

let terms = 0;

/** Calls that a pass makes; lists, watches and polls go on by themselves. */
const PASS_CALLS = ["get", "find", "create", "replace", "apply", "applyStatus", "patch", "patchStatus", "delete"];

export type Call = { readonly what: string; readonly when: "before" | "after" };

/** Told at each call; `die` ends the process there, a promise holds the call up until it resolves. */
export type Failpoint = (call: Call, place: number) => "die" | Promise<void> | undefined;

export type ProcessOptions = {
  readonly api: KubeApi;
  readonly send: JsonSender;
  readonly clock: Clock;
  readonly random: () => number;
  readonly defaults: OperatorDefaults;
  readonly operatorPaused: () => boolean;
  readonly gates: NonNullable<ControllerPorts["gates"]>;
  readonly failpoint?: Failpoint;
  readonly onPass?: (pass: PassReport) => void;
};

export class OperatorProcess {
  isDead = false;
  /** How many places a process could have died at. */
  places = 0;
  readonly caches: Caches;
  readonly #options: ProcessOptions;
  readonly #controller: Controller;
  readonly #poller: StatePoller;
  readonly #abort = new AbortController();

  constructor(options: ProcessOptions) {
    this.#options = options;
    const clock = this.#mortalClock();
    const { random } = options;
    const api = this.#mortalApi();
    const send = this.#mortalSender();
    this.caches = new Caches({ client: api, clock, random, namespaces: [], onProblem: () => undefined });
    this.#poller = new StatePoller({ clock, send, onPolled: (key) => this.#controller.enqueue(key) });
    const reconciler = new ClusterReconciler({
      api,
      caches: this.caches,
      poller: this.#poller,
      writer: new ContractWriter(send),
      events: { record: () => undefined },
      clock,
      randomKey: () => "key",
      defaults: options.defaults,
      fencing: new Fencing({ api, clock, installation: "ops/wscluster", term: String(++terms) }),
      operatorPaused: options.operatorPaused,
      gates: options.gates,
      mayAct: () => !this.isDead,
      log: { info: () => undefined, warn: () => undefined, debug: () => undefined },
    });
    this.#controller = new Controller({
      name: "test",
      clock,
      random,
      workers: 1,
      reconcile: (key, context) => reconciler.reconcile(key, context),
      resync: { everyMs: 10 * 60_000, keys: () => this.caches.keys() },
      ...(options.onPass === undefined ? {} : { onPass: options.onPass }),
    });
    this.caches.start((key) => this.#controller.enqueue(key));
    void this.caches.waitForSync(this.#abort.signal).then((isSynced) => {
      if (isSynced && !this.isDead) this.#controller.start();
    });
  }

  /** As SIGKILL: nothing of it has an effect any more. */
  die(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.#abort.abort();
    this.#poller.stop();
    void this.caches.stop();
    void this.#controller.stop();
  }

  async #pass<T>(what: string, call: () => Promise<T>): Promise<T> {
    await this.#place({ what, when: "before" });
    const answer = await call();
    await this.#place({ what, when: "after" });
    return answer;
  }

  async #place(call: Call): Promise<void> {
    if (this.isDead) return NEVER;
    const verdict = this.#options.failpoint?.(call, ++this.places);
    if (verdict === "die") this.die();
    else if (verdict !== undefined) await verdict;
    if (this.isDead) return NEVER;
  }

  #mortalApi(): KubeApi {
    return new Proxy(this.#options.api, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        const call = (given: unknown[]): unknown => Reflect.apply(method, target, given);
        if (!PASS_CALLS.includes(String(name))) return (...given: unknown[]) => call(given);
        return (...given: unknown[]) =>
          this.#pass(`${String(name)} ${kindOf(given[0])}${guardOf(given)}`, async () => call(given));
      },
    });
  }

  #mortalSender(): JsonSender {
    const { send } = this.#options;
    return (request) => (request.method === "GET" ? send(request) : this.#pass(request.path, () => send(request)));
  }

  #mortalClock(): Clock {
    const { clock } = this.#options;
    return {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      startTimer: (delayMs, fire, background) =>
        clock.startTimer(delayMs, () => (this.isDead ? undefined : fire()), background),
    };
  }
}

function kindOf(resource: unknown): string {
  return typeof resource === "object" && resource !== null ? String(Reflect.get(resource, "kind")) : "";
}

/** A write that is only for the version that was looked at. */
function guardOf([, manifest, patch]: readonly unknown[]): string {
  const metadata: unknown =
    typeof manifest === "object" && manifest !== null ? Reflect.get(manifest, "metadata") : undefined;
  const isGuarded =
    (typeof metadata === "object" && metadata !== null && "resourceVersion" in metadata) ||
    (Array.isArray(patch) && JSON.stringify(patch).includes('"/metadata/resourceVersion"'));
  return isGuarded ? " guarded" : "";
}
