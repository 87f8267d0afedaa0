// One contender with so many clusters: at rest, a pod dies here and there, all change their image.
import { pause, quantileOf, waitFor } from "@wscluster/e2e";
import type { ListenedProcess } from "../rivals/listened-process.ts";
import { cpuMicroseconds, residentKiB } from "../rivals/process-figures.ts";
import { auditReader, isAct, reactionsMs, type Write } from "./audit.ts";
import { CONTROLLER_USER, create, forEach, startControlPlane } from "./control-plane.ts";
import { namespaceNamed, type OperatorContender, type Settling } from "./contenders.ts";
import { ContractProcesses, type InstructionsMap } from "./contract-processes.ts";
import { Kubelet, type PodObject } from "./kubelet.ts";
import { PodEndpoints } from "./pod-endpoints.ts";
import { watchAll } from "./watch.ts";

export type Work = {
  readonly clusters: number;
  readonly podsPerCluster: number;
  readonly clientsPerPod: number;
  readonly restSeconds: number;
  readonly deaths: number;
};

const IMAGES = ["server:blue", "server:green"] as const;
const SETTLE_MS = 1_800_000;
const CALM_MS = 7_000;
const DEATH_EVERY_MS = 100;
const REACTION_MS = 15_000;
const MERGE = { contentType: "application/merge-patch+json" };

export async function runOperatorBench(
  contender: OperatorContender,
  work: Work,
  context: { readonly signal: AbortSignal; readonly say: (text: string) => void },
): Promise<Readonly<Record<string, number>>> {
  const plane = await startControlPlane();
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const { api } = plane;
  const endpoints = new PodEndpoints();
  const processes = new ContractProcesses(endpoints, (namespace, name) => adminKeyOf(api, namespace, name));
  const kubelet = new Kubelet({ send: (...given) => api.send(...given), processes, nodes: plane.nodes });
  let controller: ListenedProcess | undefined;
  try {
    await contender.prepare(plane);
    const names = Array.from({ length: work.clusters }, (_, index) => `bench-${String(index).padStart(4, "0")}`);
    await forEach(names, (name) => create(api, "/api/v1/namespaces", namespaceNamed(name)));
    const watching = { url: api.url, token: api.token, certificate: api.certificate, signal };
    const selector = `labelSelector=${encodeURIComponent(contender.selector)}`;
    void watchAll<PodObject>({
      ...watching,
      path: `/api/v1/pods?${selector}`,
      onObject: (pod, isGone) => kubelet.see(pod, isGone),
    });
    void watchAll<InstructionsMap>({
      ...watching,
      path: `/api/v1/configmaps?${selector}`,
      onObject: (map) => processes.seeInstructions(map),
    });
    controller = await contender.start(plane);
    const process = controller;
    const beginMs = performance.now();
    await forEach(names, (name) => contender.create(plane, name, IMAGES[0], work.podsPerCluster));
    const settled = (image: string) => settledAt(contender, { api, names, work, image, signal, kubelet, process });
    await settled(IMAGES[0]);
    context.say(`${contender.name}: ${kubelet.size} pods run after ${seconds(beginMs)} s`);
    processes.fill(work.clientsPerPod);
    const audit = auditReader(api.auditLog);
    await untilCalm(audit, signal);

    const rest = meter(process.pid);
    const askedBefore = endpoints.requests;
    await pause(work.restSeconds * 1_000, signal);
    const atRest = rest();
    const restWrites = ofController(await audit());
    const asked = endpoints.requests - askedBefore;

    const victims = names.slice(0, work.deaths);
    for (const namespace of victims) {
      const pod = kubelet.podsIn(namespace).find((one) => one.spec.containers[0]?.name === "server");
      if (pod !== undefined) {
        processes.stop(pod.metadata.uid);
        await api.send("DELETE", `/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}?gracePeriodSeconds=0`);
      }
      await pause(DEATH_EVERY_MS, signal);
    }
    await pause(REACTION_MS / 3, signal);
    const deaths = await audit();
    const died = eventsIn(deaths, "pods", "delete");
    const deathMs = reactionsMs(deaths, CONTROLLER_USER, died);
    const cutByDeaths = processes.cut;
    await settled(IMAGES[0]);
    await untilCalm(audit, signal);

    const rolling = meter(process.pid);
    const rolledFromMs = performance.now();
    await forEach(names, async (namespace) => {
      const path = `/apis/${contender.group}/namespaces/${namespace}/${contender.plural}/chat`;
      await api.send("PATCH", path, contender.imagePatch(IMAGES[1]), MERGE);
    });
    await settled(IMAGES[1]);
    const rolloutSeconds = seconds(rolledFromMs);
    const inRollout = rolling();
    const writes = await audit();
    const changed = eventsIn(writes, contender.plural, "patch");
    const changeMs = reactionsMs(writes, CONTROLLER_USER, changed);
    const acts = ofController(writes).filter(isAct);
    if (kubelet.problems.length > 0) context.say(`kubelet: ${kubelet.problems.slice(0, 3).join("; ")}`);
    return {
      pods: kubelet.size,
      restCores: atRest.cores,
      restRssMb: atRest.rssMb,
      restWrites: restWrites.filter(isAct).length,
      restLeaseWrites: restWrites.filter((write) => !isAct(write)).length,
      podRequestsPerSecond: Math.round(asked / work.restSeconds),
      deathReactionP50Ms: rounded(quantileOf(finite(deathMs), 0.5)),
      deathReactionP99Ms: rounded(quantileOf(finite(deathMs), 0.99)),
      deathsWithoutAct: deathMs.length - finite(deathMs).length,
      changeReactionP50Ms: rounded(quantileOf(finite(changeMs), 0.5)),
      changeReactionP99Ms: rounded(quantileOf(finite(changeMs), 0.99)),
      rolloutSeconds,
      rolloutCores: inRollout.cores,
      rolloutRssMb: inRollout.rssMb,
      rolloutWritesPerCluster: rounded(acts.length / work.clusters),
      cutInRollout: processes.cut - cutByDeaths,
    };
  } catch (error) {
    context.say(
      `${contender.name}: ${controller?.words() ?? "not started"}; ${kubelet.problems.slice(0, 3).join("; ")}`,
    );
    throw error;
  } finally {
    stop.abort();
    kubelet.stop();
    await controller?.stop();
    processes.close();
    await plane.close();
  }
}

const finite = (values: readonly number[]): readonly number[] => values.filter((value) => Number.isFinite(value));
const rounded = (value: number): number => Math.round(value * 100) / 100;
const seconds = (fromMs: number): number => rounded((performance.now() - fromMs) / 1_000);
const ofController = (writes: readonly Write[]) => writes.filter(({ user }) => user === CONTROLLER_USER);

/** What the bench did itself. */
function eventsIn(writes: readonly Write[], resource: string, verb: string) {
  return writes
    .filter(
      (write) => write.user === "test" && write.resource === resource && write.verb === verb && write.status < 300,
    )
    .map(({ namespace, doneMs }) => ({ namespace, atMs: doneMs }));
}

/** Use of a process from now on until it is called. */
function meter(pid: number): () => { readonly cores: number; readonly rssMb: number } {
  const [beginMs, beginUs] = [performance.now(), cpuMicroseconds(pid)];
  let most = residentKiB(pid);
  const timer = setInterval(() => {
    most = Math.max(most, residentKiB(pid));
  }, 500);
  return () => {
    clearInterval(timer);
    const us = cpuMicroseconds(pid) - beginUs;
    return { cores: rounded(us / 1_000 / (performance.now() - beginMs)), rssMb: Math.round(most / 1_024) };
  };
}

type Settle = {
  readonly api: Parameters<typeof create>[0];
  readonly names: readonly string[];
  readonly work: Work;
  readonly image: string;
  readonly signal: AbortSignal;
  readonly kubelet: Kubelet;
  readonly process: ListenedProcess;
};

async function settledAt(contender: OperatorContender, settle: Settle): Promise<void> {
  const { api, names, work, image, signal, kubelet, process } = settle;
  let seen = "";
  await waitFor(
    `${contender.name} to settle`,
    async () => {
      const { body } = await api.send("GET", `/apis/${contender.group}/${contender.plural}?resourceVersion=0`);
      const { items = [] } = body as { readonly items?: readonly Settling[] };
      const done = items.filter((object) => contender.isSettled(object, image, work.podsPerCluster)).length;
      const first = items.find((object) => !contender.isSettled(object, image, work.podsPerCluster));
      seen = `${done} of ${names.length}, ${kubelet.size} pods; ${JSON.stringify(first?.status ?? {}).slice(0, 1_500)}; ${process.words()}`;
      return done === names.length ? true : undefined;
    },
    { timeoutMs: SETTLE_MS, everyMs: 500, signal, seen: () => seen },
  );
}

/** Until the controller has written nothing for a while: counts of clients are told late on purpose. */
async function untilCalm(audit: () => Promise<readonly Write[]>, signal: AbortSignal): Promise<void> {
  let quietFromMs = performance.now();
  await waitFor(
    "the controller to be at rest",
    async () => {
      if (ofController(await audit()).some(isAct)) quietFromMs = performance.now();
      return performance.now() - quietFromMs >= CALM_MS ? true : undefined;
    },
    { timeoutMs: 300_000, everyMs: 500, signal },
  );
}

async function adminKeyOf(api: Settle["api"], namespace: string, name: string): Promise<string | undefined> {
  const { body } = await api.send("GET", `/api/v1/namespaces/${namespace}/secrets/${name}-keys`);
  const { data } = body as { readonly data?: Readonly<Record<string, string>> };
  const keys = data?.["admin"];
  return keys === undefined ? undefined : Buffer.from(keys, "base64").toString("utf8").split(",")[0];
}
