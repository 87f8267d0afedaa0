// Scheduler and kubelet of simulated pods: each is bound, runs, is ready as its process says, and goes when it has ended. A real API
// server judges every write. Not here: ReplicaSets and budgets, which the real controller manager keeps.
import type { Watched } from "./watch.ts";

export type PodObject = Watched & {
  readonly spec: { readonly nodeName?: string; readonly containers: readonly { readonly name: string }[] };
  readonly status?: { readonly phase?: string };
};

/** What runs in the pods. */
export type Processes = {
  /** The address at which it can be asked. */
  start(pod: PodObject): Promise<string>;
  /** Somebody deleted the pod: it is told to end. */
  terminate(pod: PodObject): void;
  stop(uid: string): void;
  /** `ended`: it is empty after it was told to end. */
  lookAt(uid: string): { readonly isReady: boolean; readonly isEnded: boolean };
};

export type KubeletOptions = {
  readonly send: (
    method: string,
    path: string,
    body?: unknown,
    options?: { readonly contentType?: string },
  ) => Promise<{ readonly status: number; readonly body: unknown }>;
  readonly processes: Processes;
  readonly nodes: readonly string[];
};

type Running = { pod: PodObject; address: string; isReady: boolean; isBusy: boolean };

const AT_ONCE = 48;
const LOOK_MS = 200;
const MERGE = { contentType: "application/merge-patch+json" };

export class Kubelet {
  readonly #options: KubeletOptions;
  readonly #running = new Map<string, Running>();
  readonly #known = new Set<string>();
  readonly #queue: (() => Promise<void>)[] = [];
  #active = 0;
  #bound = 0;
  readonly #timer: NodeJS.Timeout;
  /** Writes that failed otherwise than by a pod that is gone. */
  readonly problems: string[] = [];

  constructor(options: KubeletOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  get size(): number {
    return this.#running.size;
  }

  podsIn(namespace: string): readonly PodObject[] {
    return [...this.#running.values()].map(({ pod }) => pod).filter(({ metadata }) => metadata.namespace === namespace);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#queue.length = 0;
  }

  see(pod: PodObject, isGone: boolean): void {
    const { uid, deletionTimestamp } = pod.metadata;
    if (isGone) {
      this.#known.delete(uid);
      this.#running.delete(uid);
      this.#options.processes.stop(uid);
      return;
    }
    const running = this.#running.get(uid);
    if (running !== undefined) {
      running.pod = pod;
      if (deletionTimestamp !== undefined) this.#options.processes.terminate(pod);
    } else if (!this.#known.has(uid) && deletionTimestamp === undefined) {
      this.#known.add(uid);
      this.#do(() => this.#start(pod));
    }
  }

  async #start(pod: PodObject): Promise<void> {
    const { nodes, processes } = this.#options;
    const path = pathOf(pod);
    if (pod.spec.nodeName === undefined) {
      this.#bound += 1;
      const target = { apiVersion: "v1", kind: "Node", name: nodes[this.#bound % nodes.length] };
      await this.#write("POST", `${path}/binding`, {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name: pod.metadata.name },
        target,
      });
    }
    if (!this.#known.has(pod.metadata.uid)) return;
    const address = await processes.start(pod);
    const running = { pod, address, isReady: true, isBusy: false };
    this.#running.set(pod.metadata.uid, running);
    await this.#write("PATCH", `${path}/status`, statusOf(running), MERGE);
  }

  #look(): void {
    for (const [uid, running] of this.#running) {
      if (running.isBusy) continue;
      const { isReady, isEnded } = this.#options.processes.lookAt(uid);
      if (isEnded) {
        running.isBusy = true;
        this.#do(() => this.#write("DELETE", `${pathOf(running.pod)}?gracePeriodSeconds=0`));
      } else if (isReady !== running.isReady) {
        running.isBusy = true;
        running.isReady = isReady;
        this.#do(async () => {
          await this.#write("PATCH", `${pathOf(running.pod)}/status`, statusOf(running), MERGE);
          running.isBusy = false;
        });
      }
    }
  }

  async #write(method: string, path: string, body?: unknown, options?: { readonly contentType?: string }) {
    const answer = await this.#options.send(method, path, body, options);
    if (answer.status >= 400 && answer.status !== 404 && answer.status !== 409) {
      this.problems.push(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 300)}`);
    }
  }

  #do(task: () => Promise<void>): void {
    this.#queue.push(task);
    this.#pump();
  }

  #pump(): void {
    while (this.#active < AT_ONCE) {
      const task = this.#queue.shift();
      if (task === undefined) return;
      this.#active += 1;
      void task()
        .catch((error: unknown) => this.problems.push(String(error)))
        .finally(() => {
          this.#active -= 1;
          this.#pump();
        });
    }
  }
}

function pathOf({ metadata }: PodObject): string {
  return `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`;
}

function statusOf({ pod, address, isReady }: Running) {
  const now = new Date().toISOString();
  const status = isReady ? "True" : "False";
  const condition = (type: string, value: string) => ({ type, status: value, lastTransitionTime: now });
  return {
    status: {
      phase: "Running",
      podIP: address,
      podIPs: [{ ip: address }],
      startTime: now,
      conditions: [
        condition("PodScheduled", "True"),
        condition("Initialized", "True"),
        condition("ContainersReady", status),
        condition("Ready", status),
      ],
      containerStatuses: pod.spec.containers.map(({ name }) => ({
        name,
        ready: isReady,
        restartCount: 0,
        image: "simulated",
        imageID: "simulated",
        state: { running: { startedAt: now } },
      })),
    },
  };
}
