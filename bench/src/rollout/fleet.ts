// The fleet that the rollout bench rolls: a cluster of its own namespace, clients through the edge, one image and the other in turn.
import {
  accessCluster,
  buildImages,
  Chat,
  CHAT,
  chatCluster,
  type ClusterAccess,
  createNamespace,
  deleteNamespace,
  installChart,
  LOAD_DEFAULTS,
  openCluster,
  REDIS_URL,
  startLoad,
  type Load,
  type Progress,
} from "@wscluster/e2e";

const NAMESPACE = "wsc-bench-rollout";
const OPERATOR_PODS = 1;

export type FleetSetup = {
  readonly clients: number;
  readonly roomSize: number;
  readonly pods: number;
  readonly messagesPerSecond: number;
  readonly movesPerSecond: number;
};

export type RolloutFleet = {
  readonly chat: Chat;
  readonly access: ClusterAccess;
  readonly namespace: string;
  readonly kubernetes: string;
  /** The image that runs and the other one, changing places with each rollout. */
  image(): { readonly now: string; readonly next: string };
  rolled(): void;
  connect(seed: number): Promise<Load>;
  close(): Promise<void>;
};

export async function openFleet(setup: FleetSetup, progress: Progress, signal: AbortSignal): Promise<RolloutFleet> {
  const driver = await openCluster();
  const access = accessCluster(driver);
  // Brings a cluster up where none is; one that was up is used as it is and stays.
  const wasUp = (await driver.status()).state === "up";
  await driver.up(progress, signal);
  const close = async (): Promise<void> => {
    await deleteNamespace(access, NAMESPACE);
    if (!wasUp) await driver.down(progress);
  };
  try {
    const images = await buildImages(access, progress, signal);
    await installChart(access, { images, replicas: OPERATOR_PODS, signal });
    await deleteNamespace(access, NAMESPACE);
    await createNamespace(access, NAMESPACE);
    const chat = new Chat(access, NAMESPACE, CHAT, signal);
    let [now, next] = [images["server:v1"], images["server:v2"]];
    await chat.apply(
      chatCluster({
        namespace: NAMESPACE,
        image: now,
        redisUrl: REDIS_URL,
        replicas: setup.pods,
        maxPerSecond: setup.movesPerSecond,
        retainSeconds: 0,
      }),
    );
    await chat.ready();
    return {
      chat,
      access,
      namespace: NAMESPACE,
      kubernetes: await serverVersion(access),
      image: () => ({ now, next }),
      rolled: () => {
        [now, next] = [next, now];
      },
      async connect(seed) {
        const way = await chat.clientUrl();
        return startLoad({
          ...LOAD_DEFAULTS,
          url: way.url,
          clients: setup.clients,
          rooms: Math.max(1, Math.floor(setup.clients / setup.roomSize)),
          skew: 0,
          messagesPerSecond: setup.messagesPerSecond,
          seed,
          // Streams of an earlier round stay in the store for a while: new names keep the rounds apart.
          prefix: `r${seed}-`,
        });
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function serverVersion(access: ClusterAccess): Promise<string> {
  const { serverVersion: version } = JSON.parse(await access.kubectl(["version", "--output=json"])) as {
    readonly serverVersion?: { readonly gitVersion?: string };
  };
  return version?.gitVersion ?? "unknown";
}
