// The small world with the operator's real shell in it (reflectors, controller, fencing, act, poller, signed writes), over an API
// and pods that may be unreliable, in a process that may die at any call. Test code only.
import { FakeClock } from "../../runtime/fake-clock.ts";
import { seededRandom } from "../../runtime/seeded-random.ts";
import { type Fault, faultyApi } from "../../kube/testing/faulty-api.ts";
import type { PassReport } from "../../runtime/index.ts";
import { type Failpoint, OperatorProcess } from "./operator-process.ts";
import { podsEndFor } from "./pods-end.ts";
import { tableApiFor } from "./table-api.ts";
import { deletePod } from "./workloads.ts";
import { type Spec, START_MS, World } from "./world.ts";

/** What stories may use: the same whether the shell in it is real or not. */
export type Told = Omit<World, "run"> & {
  run(seconds: number, until?: () => boolean): boolean | Promise<boolean>;
};

export type LiveOptions = {
  readonly seed: number;
  /** Part of all requests that goes wrong, 0 to 1. */
  readonly faultRate?: number;
  readonly failpoint?: Failpoint;
};

export class LiveWorld {
  readonly world: World;
  readonly told: Told;
  readonly clock = new FakeClock(START_MS);
  readonly faults = new Map<Fault, number>();
  /** Passes that ended with an error that nobody injected. */
  readonly errors: string[] = [];
  readonly refusedWrites: string[] = [];
  readonly conflicts: string[] = [];
  faultRate: number;
  readonly #random: () => number;
  readonly #api: ReturnType<typeof faultyApi>;
  readonly #send: ReturnType<typeof podsEndFor>;
  process: OperatorProcess;

  constructor(spec: Spec, { seed, faultRate = 0, failpoint }: LiveOptions) {
    const world = new World(spec, 0);
    this.world = world;
    this.#random = seededRandom(seed);
    this.faultRate = faultRate;
    const count = (): void => {
      world.writes++;
    };
    const table = tableApiFor({
      table: world.table,
      nowMs: () => world.nowMs,
      deletePod: (pod) => deletePod(world.table, world.fleet, pod, world.nowMs),
      mayRead: (resource) => resource.kind !== "Node" || world.canReadNodes,
      onRefused: (what) => this.conflicts.push(what),
      onWrite: (what) => {
        count();
        // The epoch, the status and the record are reports; the rest is what was done.
        if (what !== "status" && what !== "patch WebSocketCluster" && what !== "apply ConfigMap") world.actions++;
      },
    });
    this.#api = faultyApi(table, {
      random: this.#random,
      clock: this.clock,
      rate: () => this.faultRate,
      onFault: (fault) => this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1),
    });
    this.#send = podsEndFor({
      world,
      nowMs: () => this.clock.nowMs(),
      lossRate: () => this.faultRate,
      random: this.#random,
      onWrite: (path, answer) => {
        if (!answer.ok) this.refusedWrites.push(`${path}: ${answer.code}`);
      },
    });
    this.process = this.startProcess(failpoint);
    world.onRestart = () => {
      this.process.die();
      this.process = this.startProcess();
    };
    this.told = Object.assign(world, {
      run: (seconds: number, until?: () => boolean) => this.run(seconds, until),
    });
  }

  startProcess(failpoint?: Failpoint): OperatorProcess {
    return new OperatorProcess({
      api: this.#api,
      send: this.#send,
      clock: this.clock,
      random: this.#random,
      defaults: this.world.defaults,
      operatorPaused: () => this.world.operatorPaused,
      gates: { verdictsAt: (_key, at) => this.world.gates[at.point] ?? {}, rest: () => undefined },
      onPass: (pass) => this.#judge(pass),
      ...(failpoint === undefined ? {} : { failpoint }),
    });
  }

  async run(seconds: number, until?: () => boolean): Promise<boolean> {
    for (let second = 0; second < seconds; second++) {
      const { world } = this;
      world.beginSecond();
      if (!world.operatorIsUp) this.process.die();
      else if (this.process.isDead) this.process = this.startProcess();
      await this.clock.advance(world.nowMs - this.clock.nowMs());
      world.endSecond();
      if (until?.() === true) return true;
    }
    return until === undefined;
  }

  #judge(pass: PassReport): void {
    if (pass.outcome !== "error") return;
    const text = pass.error instanceof Error ? pass.error.message : String(pass.error);
    if (!text.includes("injected")) this.errors.push(text);
    if (text.includes("fault of the operator")) this.world.faults.push(text);
  }

  end(): void {
    this.process.die();
  }
}
