// A wrong resource is refused by the API server itself, with a sentence that says what to correct.
import { CHAT, chatCluster } from "../product/chat-cluster.ts";
import { REDIS_URL } from "../product/install.ts";
import { Checks, type Scenario } from "./scenario.ts";

type Case = { readonly what: string; readonly spec: Record<string, unknown>; readonly says: string };

const CASES: readonly Case[] = [
  {
    what: "no Redis address",
    spec: { redis: {} },
    says: "exactly one of `url` and `urlSecretRef` must be set",
  },
  {
    what: "one port for two things",
    spec: { server: { image: "x", port: 8081 } },
    says: "`port` and `adminPort` must differ",
  },
  {
    what: "history shorter than a session",
    spec: { config: { history: { ttlSeconds: 150 }, connections: { sessionTtlSeconds: 300 } } },
    says: "`config.history.ttlSeconds` must be at least",
  },
  {
    what: "a reserved variable",
    spec: { server: { image: "x", env: [{ name: "WSC_MODE", value: "x" }] } },
    says: "WSC_",
  },
  { what: "negative replicas", spec: { replicas: -1 }, says: "spec.replicas" },
  { what: "no image", spec: { server: {} }, says: "spec.server.image" },
  { what: "an unknown field", spec: { replica: 3 }, says: "unknown field" },
];

export const invalidSpec: Scenario = {
  name: "invalid-spec",
  shows: "the API server refuses a wrong resource and says what to correct",
  timeoutSeconds: 60,
  async run(context) {
    const { access, namespace, images } = context;
    const checks = new Checks();
    const valid = chatCluster({ namespace, image: images["server:v1"], redisUrl: REDIS_URL });
    for (const { what, spec, says } of CASES) {
      const manifest = { ...valid, spec: { ...valid.spec, ...spec } };
      const answer = await access.tryKubectl(["apply", "--filename=-"], { input: JSON.stringify(manifest) });
      checks.holds(`${what}: refused`, answer.status !== 0, answer.stdout);
      checks.holds(`${what}: says "${says}"`, answer.stderr.includes(says), answer.stderr);
    }
    const left = await access.kubectl(["get", "wsc", `--namespace=${namespace}`, "--output=name"]);
    checks.equal("resources made", left.trim(), "");
    const dryRun = ["apply", "--dry-run=server", "--filename=-"];
    const control = await access.tryKubectl(dryRun, { input: JSON.stringify(valid) });
    checks.equal(`the valid ${CHAT} is accepted`, control.status, 0);
    context.say(`${CASES.length} wrong resources refused`);
    checks.settle();
  },
};
