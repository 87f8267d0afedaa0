// The WebSocketCluster that runs use, as the manifest a user would write.
import { API_VERSION, KIND, type WebSocketClusterSpec } from "@wscluster/crds";

export const CHAT = "chat";

export type ChatOptions = {
  /** Default `chat`. */
  readonly name?: string;
  readonly namespace: string;
  readonly image: string;
  readonly redisUrl: string;
  readonly replicas?: number;
  readonly edgeReplicas?: number;
  readonly edgeGraceSeconds?: number;
  readonly maxPerSecond?: number;
  /** Absent: what the product makes of `maxPerSecond`. */
  readonly emergencyMaxPerSecond?: number;
  readonly retainSeconds?: number;
};

export type ChatManifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: WebSocketClusterSpec;
};

export function chatCluster(options: ChatOptions): ChatManifest {
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name: options.name ?? CHAT, namespace: options.namespace },
    spec: {
      replicas: options.replicas ?? 3,
      server: { image: options.image },
      redis: { url: options.redisUrl },
      auth: { anonymous: true },
      edge: {
        replicas: options.edgeReplicas ?? 2,
        ...(options.edgeGraceSeconds === undefined ? {} : { terminationGracePeriodSeconds: options.edgeGraceSeconds }),
      },
      rollout: { retainSeconds: options.retainSeconds ?? 2 },
      ...(options.maxPerSecond === undefined ? {} : { moves: movesFor(options.maxPerSecond, options) }),
    },
  };
}

const movesFor = (maxPerSecond: number, { emergencyMaxPerSecond }: ChatOptions) => ({
  maxPerSecond,
  ...(emergencyMaxPerSecond === undefined ? {} : { emergencyMaxPerSecond }),
});
