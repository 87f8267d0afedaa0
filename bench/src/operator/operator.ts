// `operator`: what the controller costs and how fast it acts with many clusters. The API server and the controllers of ReplicaSets and
// budgets are real, nodes and pods are simulated; the pods answer over HTTP. Argo Rollouts has as many Rollouts of the same size.
import type { Bench } from "../bench.ts";
import { interleaved, medianOf, type Round } from "../rounds.ts";
import { ARGO_VERSION, buildArgo } from "../rollout/argo-rollouts.ts";
import { ARGO_OPERATOR, MOVES_PER_SECOND, OURS, type OperatorContender } from "./contenders.ts";
import { missingForBench } from "./control-plane.ts";
import { runOperatorBench, type Work } from "./run.ts";

const PODS = 20;
const CLIENTS = 50;
const QUICK: readonly Work[] = [
  { clusters: 5, podsPerCluster: PODS, clientsPerPod: CLIENTS, restSeconds: 6, deaths: 5 },
];
const FULL: readonly { readonly work: Work; readonly rounds: number }[] = [
  {
    work: { clusters: 100, podsPerCluster: PODS, clientsPerPod: CLIENTS, restSeconds: 60, deaths: 100 },
    rounds: 5,
  },
  {
    work: { clusters: 1_000, podsPerCluster: PODS, clientsPerPod: CLIENTS, restSeconds: 120, deaths: 200 },
    rounds: 1,
  },
];

export const operator: Bench = {
  name: "operator",
  measures: "CPU, memory, writes and reaction of the operator with many clusters, at rest and while all roll",
  async run({ quick, progress, signal, say }) {
    const missing = missingForBench();
    if (missing !== undefined) throw new Error(`cannot run the bench operator: ${missing}`);
    const contenders: OperatorContender[] = [OURS];
    if (!quick || process.env["WSC_BENCH_RIVAL"] !== undefined) {
      try {
        await buildArgo(progress, signal);
        contenders.push(ARGO_OPERATOR);
      } catch (error) {
        if (signal.aborted) throw error;
        say(`without ${ARGO_OPERATOR.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    const works = quick ? QUICK.map((work) => ({ work, rounds: 1 })) : FULL;
    const rounds: Round[] = [];
    for (const { work, rounds: count } of works) {
      for (const contender of interleaved(contenders, count)) {
        const name = `${contender.name}-${work.clusters}`;
        const figures = await runOperatorBench(contender, work, { signal, say });
        rounds.push({ contender: name, figures });
        say(`${name}: ${JSON.stringify(figures)}`);
      }
    }
    const largest = works.at(-1)?.work.clusters ?? 0;
    const ours = (name: string) => figureOf(rounds, `${OURS.name}-${largest}`, name);
    const theirs = (name: string) => figureOf(rounds, `${ARGO_OPERATOR.name}-${largest}`, name);
    return {
      versions: contenders.includes(ARGO_OPERATOR) ? { argoRollouts: ARGO_VERSION } : {},
      setup: {
        clusters: works.map(({ work }) => work.clusters).join(", "),
        podsPerCluster: `${PODS} servers and 1 edge`,
        clientsPerPod: CLIENTS,
        movesPerSecond: MOVES_PER_SECOND,
        store: "none: receipts are counted by the simulated pods",
      },
      rounds,
      summary: {
        pods: ours("pods"),
        reactionP99Ms: Math.max(ours("deathReactionP99Ms"), ours("changeReactionP99Ms")),
        cores: ours("restCores"),
        rolloutCores: ours("rolloutCores"),
        rssMb: ours("rolloutRssMb"),
        idleWrites: ours("restWrites"),
        ...(contenders.includes(ARGO_OPERATOR)
          ? {
              coresArgo: theirs("restCores"),
              rssMbArgo: theirs("rolloutRssMb"),
              idleWritesArgo: theirs("restWrites"),
              reactionP99MsArgo: Math.max(theirs("deathReactionP99Ms"), theirs("changeReactionP99Ms")),
            }
          : {}),
      },
    };
  },
};

function figureOf(rounds: readonly Round[], contender: string, figure: string): number {
  return medianOf(rounds.filter((round) => round.contender === contender).map(({ figures }) => figures[figure] ?? 0));
}
