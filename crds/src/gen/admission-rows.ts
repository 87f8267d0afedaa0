// Objects that the API server must take or refuse: one row per CEL rule and per class of bound. Data only, for admission.integration.test.ts.

type Spec = Readonly<Record<string, unknown>>;

export type AdmissionRow = {
  readonly what: string;
  readonly spec: Spec;
  readonly name?: string;
  /** Part of the API server's message; absent = the object is taken. */
  readonly refused?: string;
};

const server = { image: "example/server:1" };
const redis = { url: "redis://redis:6379" };
/** The smallest spec that is complete. */
export const MINIMAL: Spec = { server, redis };

const withServer = (more: Spec): Spec => ({ redis, server: { ...server, ...more } });
const withRest = (more: Spec): Spec => ({ ...MINIMAL, ...more });
const times = (sessionTtlSeconds: number | undefined, ttlSeconds: number): Spec =>
  withRest({ config: { history: { ttlSeconds }, ...(sessionTtlSeconds && { connections: { sessionTtlSeconds } }) } });

export const ADMISSION_ROWS: readonly AdmissionRow[] = [
  { what: "the smallest spec", spec: MINIMAL },
  {
    what: "a route with a password",
    spec: withRest({ config: { routes: { pay: { url: "https://me:secret@pay/" } } } }),
    refused: "spec.config.routes.pay.url",
  },
  {
    what: "every field",
    spec: {
      replicas: 3,
      server: {
        ...server,
        imagePullPolicy: "IfNotPresent",
        port: 9000,
        adminPort: 9001,
        path: "/socket/v1",
        env: [{ name: "LOG", value: "info" }, { name: "EMPTY" }],
        resources: { requests: { cpu: "250m", memory: "128Mi" }, limits: { memory: "1Gi" } },
        terminationGracePeriodSeconds: 600,
      },
      redis: { urlSecretRef: { name: "redis", key: "url" }, keyPrefix: "shop.chat" },
      config: {
        routes: { "orders.place": { url: "http://orders/place", timeoutMs: 5_000, idempotent: true } },
        connections: { maxPerPod: 5000, sessionTtlSeconds: 120, heartbeatSeconds: 20 },
        history: { maxLength: 100, ttlSeconds: 300 },
      },
      auth: {
        anonymous: false,
        jwtSecretRef: { name: "jwt", key: "secret" },
        jwt: { jwksUrl: "https://idp.example/keys", issuer: "https://idp.example", audience: "chat" },
        tokenCookie: "sid",
        allowedOrigins: ["https://example.com"],
      },
      edge: {
        enabled: true,
        replicas: 2,
        image: "example/edge:1",
        agentImage: "example/operator:1",
        resources: { requests: { cpu: "1" } },
        maxConnections: 9000,
        service: { type: "NodePort", port: 80, annotations: { "example.com/a": "b" } },
      },
      rollout: {
        promotion: "Manual",
        approvedAttempt: "5f6d8c/1",
        paused: false,
        previewReplicas: 1,
        surgePercent: 25,
        steps: [
          { newConnectionsPercent: 0, movePercent: 1, pauseSeconds: 60 },
          { newConnectionsPercent: 25, movePercent: 25 },
        ],
        preflight: "Warn",
        syntheticClient: "Off",
        analysis: {
          intervalSeconds: 30,
          minSample: 50,
          maxFailedResumePercent: 1,
          maxGapsPerThousand: 0,
          maxLatencyPercent: 150,
        },
        webhooks: [{ name: "smoke", url: "https://checks.example/gate", phase: "Verify", timeoutSeconds: 5 }],
        onFailure: "Pause",
        retainSeconds: 0,
        progressDeadlineSeconds: 600,
        revisionHistoryLimit: 5,
        abortedAttempt: "5f6d8c/1",
      },
      moves: { maxPerSecond: 25, emergencyMaxPerSecond: 25, paused: false },
      rebalance: {
        mode: "Propose",
        maxImbalancePercent: 30,
        weights: { connections: 30, cpu: 25, memory: 15, messageRate: 20, responseTime: 10 },
        cooldownSeconds: 300,
        maxMovePercent: 20,
        minPodAgeSeconds: 300,
      },
      autoscaling: {
        minReplicas: 2,
        maxReplicas: 10,
        connectionsPerReplica: 5000,
        cpuPercent: 70,
        scaleDownStabilizationSeconds: 300,
      },
      disruption: { nodeDrain: true, cordonBatch: 2, deadlineSeconds: 600 },
      paused: false,
    },
  },

  // Rules over the name.
  { what: "a name of 40 characters", name: "a".repeat(40), spec: MINIMAL },
  { what: "a name of 41 characters", name: "a".repeat(41), spec: MINIMAL, refused: "must be at most 40 characters" },
  { what: "a name with a dot", name: "chat.v2", spec: MINIMAL, refused: "must begin with a letter" },
  { what: "a name that begins with a digit", name: "2chat", spec: MINIMAL, refused: "must begin with a letter" },

  // Rules over several fields.
  {
    what: "steps whose moves fall",
    spec: withRest({
      rollout: {
        steps: [
          { newConnectionsPercent: 10, movePercent: 20 },
          { newConnectionsPercent: 10, movePercent: 10 },
        ],
      },
    }),
    refused: "must not fall",
  },
  {
    what: "steps without an edge",
    spec: withRest({
      edge: { enabled: false },
      rollout: { steps: [{ newConnectionsPercent: 10, movePercent: 10 }] },
    }),
    refused: "need the edge",
  },
  {
    what: "slices without an edge",
    spec: withRest({ edge: { enabled: false }, rollout: { surgePercent: 25 } }),
    refused: "need the edge",
  },
  {
    what: "two full sets without an edge",
    spec: withRest({ edge: { enabled: false }, rollout: { surgePercent: 100, steps: [] } }),
  },
  {
    what: "a webhook with a password in its address",
    spec: withRest({ rollout: { webhooks: [{ name: "a", url: "https://me:secret@checks.example", phase: "Step" }] } }),
    refused: "webhooks",
  },
  { what: "a surge of nothing", spec: withRest({ rollout: { surgePercent: 0 } }), refused: "surgePercent" },
  { what: "both ports moved apart", spec: withServer({ port: 8081, adminPort: 8082 }) },
  {
    what: "the same port twice",
    spec: withServer({ port: 9000, adminPort: 9000 }),
    refused: "`port` and `adminPort` must differ",
  },
  {
    what: "a port that is the other's default",
    spec: withServer({ port: 8081 }),
    refused: "`port` and `adminPort` must differ",
  },
  {
    what: "a reserved variable",
    spec: withServer({ env: [{ name: "WSC_PORT", value: "1" }] }),
    refused: "must not begin with WSC_",
  },
  {
    what: "two places for the Redis URL",
    spec: { server, redis: { ...redis, urlSecretRef: { name: "a", key: "b" } } },
    refused: "exactly one of `url` and `urlSecretRef`",
  },
  { what: "no Redis URL", spec: { server, redis: {} }, refused: "exactly one of `url` and `urlSecretRef`" },
  {
    what: "a Redis URL with a password",
    spec: { server, redis: { url: "redis://:secret@redis:6379" } },
    refused: "must not hold a user or password",
  },
  { what: "history of just the session's ttl and the margin", spec: times(200, 230) },
  {
    what: "history shorter than that",
    spec: times(200, 229),
    refused: "must be at least `config.connections.sessionTtlSeconds` + 30",
  },
  {
    what: "an emergency pace below the default pace",
    spec: withRest({ moves: { emergencyMaxPerSecond: 199 } }),
    refused: "`emergencyMaxPerSecond` must be at least `maxPerSecond`",
  },
  {
    what: "a namespace that gathers",
    spec: withRest({ config: { namespaces: [{ names: ["a"], conflateMs: 0, batchMs: 100 }] } }),
  },
  {
    what: "a namespace that conflates and gathers",
    spec: withRest({ config: { namespaces: [{ names: ["a"], conflateMs: 1, batchMs: 1 }] } }),
    refused: "only one of `conflateMs` and `batchMs`",
  },
  {
    what: "more pods at least than at most",
    spec: withRest({ autoscaling: { minReplicas: 5, maxReplicas: 4, cpuPercent: 70 } }),
    refused: "`minReplicas` must not be above `maxReplicas`",
  },
  {
    what: "fewer pods at most than the default of at least",
    spec: withRest({ autoscaling: { maxReplicas: 1, cpuPercent: 70 } }),
    refused: "`minReplicas` must not be above `maxReplicas`",
  },
  {
    what: "autoscaling by nothing",
    spec: withRest({ autoscaling: { maxReplicas: 4 } }),
    refused: "at least one of `connectionsPerReplica` and `cpuPercent`",
  },
  {
    what: "a threshold that noise would cross",
    spec: withRest({ rebalance: { maxImbalancePercent: 5 } }),
    refused: "should be greater than or equal to 10",
  },
  { what: "history of just the default ttl and the margin", spec: times(undefined, 150) },

  // Bounds, one row per class.
  { what: "no server", spec: { redis }, refused: "spec.server: Required value" },
  { what: "no Redis", spec: { server }, refused: "spec.redis: Required value" },
  { what: "an empty image", spec: withServer({ image: "" }), refused: "spec.server.image" },
  { what: "an image that is too long", spec: withServer({ image: "a".repeat(513) }), refused: "Too long" },
  { what: "no pods", spec: withRest({ replicas: 0 }) },
  { what: "fewer than no pods", spec: withRest({ replicas: -1 }), refused: "should be greater than or equal to 0" },
  { what: "too many pods", spec: withRest({ replicas: 2001 }), refused: "should be less than or equal to 2000" },
  { what: "a fraction", spec: withRest({ replicas: 1.5 }), refused: "spec.replicas" },
  { what: "a word for a number", spec: withRest({ replicas: "2" }), refused: "spec.replicas" },
  { what: "a privileged port", spec: withServer({ port: 80 }), refused: "spec.server.port" },
  { what: "a path without a slash", spec: withServer({ path: "ws" }), refused: "spec.server.path" },
  {
    what: "an unknown pull policy",
    spec: withServer({ imagePullPolicy: "Sometimes" }),
    refused: 'supported values: "Always"',
  },
  {
    what: "more variables than allowed",
    spec: withServer({ env: Array.from({ length: 65 }, (_, index) => ({ name: `V${index}` })) }),
    refused: "must have at most 64 items",
  },
  { what: "a variable twice", spec: withServer({ env: [{ name: "A" }, { name: "A" }] }), refused: "Duplicate value" },
  {
    what: "keys of tokens that are no URL",
    spec: withRest({ auth: { jwt: { jwksUrl: "idp.example/keys" } } }),
    refused: "jwksUrl",
  },
  {
    what: "a permission for something that does not exist",
    spec: withRest({ config: { permissions: [{ names: ["*"], actions: ["fly"] }] } }),
    refused: "actions",
  },
  {
    what: "an origin twice",
    spec: withRest({ auth: { allowedOrigins: ["https://a", "https://a"] } }),
    refused: "Duplicate value",
  },
  {
    what: "a quantity that is none",
    spec: withServer({ resources: { requests: { cpu: "much" } } }),
    refused: "spec.server.resources.requests.cpu",
  },
  {
    what: "more resources than allowed",
    spec: withServer({
      resources: { limits: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`r${index}`, "1"])) },
    }),
    refused: "must have at most 16 items",
  },
  {
    what: "a Redis URL of another scheme",
    spec: { server, redis: { url: "http://redis" } },
    refused: "spec.redis.url",
  },
  { what: "a field that does not exist", spec: withRest({ replcias: 3 }), refused: 'unknown field "spec.replcias"' },
];
