// Processes of simulated pods that speak the contract: server pods and edge pods of many clusters, each cluster a fleet of its own.
import { LABELS, PORTS } from "@wscluster/crds";
import type { EdgeInstructions } from "@wscluster/protocol";
import { type ServerPod, SimulatedFleet } from "./fleet.ts";
import type { PodObject, Processes } from "./kubelet.ts";
import type { PodEndpoints } from "./pod-endpoints.ts";
import type { Watched } from "./watch.ts";

const LOOK_MS = 100;

export type InstructionsMap = Watched & { readonly data?: Readonly<Record<string, string>> };

type Process = {
  readonly fleet: SimulatedFleet;
  readonly pod: ServerPod | undefined;
  readonly address: string;
  isTerminating: boolean;
};

export class ContractProcesses implements Processes {
  readonly #fleets = new Map<string, SimulatedFleet>();
  readonly #processes = new Map<string, Process>();
  readonly #endpoints: PodEndpoints;
  readonly #adminKeyOf: (namespace: string, name: string) => Promise<string | undefined>;
  readonly #timer: NodeJS.Timeout;
  /** Clients whose pod ended while it held them. */
  cut = 0;

  constructor(endpoints: PodEndpoints, adminKeyOf: (namespace: string, name: string) => Promise<string | undefined>) {
    this.#endpoints = endpoints;
    this.#adminKeyOf = adminKeyOf;
    this.#timer = setInterval(() => {
      for (const fleet of this.#fleets.values()) fleet.look(performance.now());
    }, LOOK_MS);
  }

  fleetOf(namespace: string): SimulatedFleet {
    const present = this.#fleets.get(namespace);
    if (present !== undefined) return present;
    const created = new SimulatedFleet();
    this.#fleets.set(namespace, created);
    return created;
  }

  /** So many clients for each server pod that is there. */
  fill(perPod: number): void {
    for (const fleet of this.#fleets.values()) for (const pod of fleet.servers.values()) pod.connections = perPod;
  }

  get connections(): number {
    return [...this.#fleets.values()].reduce((sum, fleet) => sum + fleet.connections, 0);
  }

  async start({ metadata }: PodObject): Promise<string> {
    const { uid, namespace = "", labels = {} } = metadata;
    const fleet = this.fleetOf(namespace);
    fleet.adminKey ??= await this.#adminKeyOf(namespace, labels[LABELS.cluster] ?? "");
    const isEdge = labels[LABELS.component] === "edge";
    const traffic = labels[LABELS.traffic];
    const mode = traffic === "active" || traffic === "preview" ? traffic : "none";
    const pod = isEdge ? undefined : fleet.start(uid, mode);
    const port = isEdge ? PORTS.edgeAdmin : PORTS.serverAdmin;
    const address = await this.#endpoints.open({ fleet, uid, pod }, port);
    this.#processes.set(uid, { fleet, pod, address, isTerminating: false });
    return address;
  }

  terminate({ metadata }: PodObject): void {
    const process = this.#processes.get(metadata.uid);
    if (process === undefined) return;
    process.isTerminating = true;
    if (process.pod !== undefined) process.pod.isTerminating = true;
  }

  stop(uid: string): void {
    const process = this.#processes.get(uid);
    if (process === undefined) return;
    this.#processes.delete(uid);
    this.#endpoints.close(process.address);
    if (process.pod !== undefined) this.cut += process.fleet.stop(process.pod.key);
  }

  lookAt(uid: string): { readonly isReady: boolean; readonly isEnded: boolean } {
    const process = this.#processes.get(uid);
    if (process === undefined) return { isReady: false, isEnded: false };
    const { fleet, pod, isTerminating } = process;
    const isEmpty = pod === undefined || pod.connections === 0;
    return { isReady: pod === undefined || fleet.isReady(pod), isEnded: isTerminating && isEmpty };
  }

  /** What an agent reads of the edge's ConfigMap. */
  seeInstructions({ metadata, data }: InstructionsMap): void {
    const text = data?.["state.json"];
    if (text === undefined || metadata.namespace === undefined) return;
    this.fleetOf(metadata.namespace).generation = (JSON.parse(text) as EdgeInstructions).generation;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#endpoints.closeAll();
  }
}
