// The pods of the small world behind the contract's HTTP port: states are read, writes are fenced. Test code only.
import { CONTRACT_PATHS, type Grant, type ModeRequest, WRITE_HEADERS, type WriteAnswer } from "@wscluster/protocol";
import { type JsonAnswer, type JsonRequest, type JsonSender, PodRequestError } from "../../contract/http-json.ts";
import type { World } from "./world.ts";
import { addressOf, podViews } from "./workloads.ts";

export type PodsEndOptions = {
  readonly world: World;
  readonly nowMs: () => number;
  /** Which part of the requests gets no answer, 0 to 1; every second of them had its effect. */
  readonly lossRate: () => number;
  readonly random: () => number;
  readonly onWrite: (path: string, answer: WriteAnswer) => void;
};

export function podsEndFor(options: PodsEndOptions): JsonSender {
  const answers = new Map<string, WriteAnswer>();
  return async (request) => {
    const isLost = options.random() < options.lossRate();
    const isDone = !isLost || options.random() < 0.5;
    const answer = isDone ? answerOf(request, options, answers) : undefined;
    if (isLost || answer === undefined) {
      throw new PodRequestError("timeout", `cannot finish ${request.path}: no answer`);
    }
    return answer;
  };
}

function answerOf(
  request: JsonRequest,
  { world, nowMs, onWrite }: PodsEndOptions,
  answers: Map<string, WriteAnswer>,
): JsonAnswer | undefined {
  const pod = podViews(world.table).find((one) => addressOf(one.uid) === request.host && one.phase === "Running");
  if (pod === undefined) return undefined;
  const { fleet } = world;
  const server = fleet.servers.get(pod.uid);
  if (request.method === "GET") {
    const body = server === undefined ? fleet.edgeStateOf(pod.uid) : fleet.stateOf(pod.uid);
    // Over the wire: what is undefined is not there.
    return body === undefined ? undefined : { status: 200, body: JSON.parse(JSON.stringify(body)) };
  }
  if (server === undefined) return undefined;
  const epoch = Number(request.headers?.[WRITE_HEADERS.epoch]);
  const seq = Number(request.headers?.[WRITE_HEADERS.seq]);
  const refuse = (code: "stale-epoch" | "stale-seq"): JsonAnswer => {
    const body: WriteAnswer = { ok: false, code, message: "", epoch: server.epoch, seq: server.seq };
    onWrite(request.path, body);
    return { status: 409, body };
  };
  if (epoch < server.epoch) return refuse("stale-epoch");
  const before = answers.get(`${pod.uid}/${epoch}/${seq}`);
  if (before !== undefined) return { status: 200, body: before };
  if (epoch === server.epoch && seq <= server.seq) return refuse("stale-seq");
  const body: unknown = JSON.parse(request.body ?? "{}");
  if (request.path === CONTRACT_PATHS.mode) fleet.setMode(pod.uid, body as ModeRequest, epoch);
  else fleet.grant(server.key, body as Grant, epoch, nowMs());
  server.seq = seq;
  const answer: WriteAnswer = { ok: true, epoch, seq };
  answers.set(`${pod.uid}/${epoch}/${seq}`, answer);
  onWrite(request.path, answer);
  return { status: 200, body: answer };
}
