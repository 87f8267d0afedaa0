// A new version that turns away everybody who is new: ready, healthy by its probes, and no good. The step is judged by what its pods
// measure, and the rollout goes back by itself.
import { SUBPROTOCOL } from "@wscluster/protocol";
import { waitFor } from "../product/wait.ts";
import { Checks, type Scenario } from "./scenario.ts";
import { breathe, checkNothingLost, figures, openChat, openLoad } from "./stage.ts";

const CLIENTS = 60;
const NEWCOMER_EVERY_MS = 100;
const TIMEOUT_MS = 120_000;

export const badAnalysis: Scenario = {
  name: "bad-analysis",
  shows:
    "a version that turns newcomers away is judged by its own numbers, and the rollout goes back by itself: nobody who was connected loses anything",
  timeoutSeconds: 300,
  async run(context) {
    const chat = await openChat(context);
    await chat.patch({
      rollout: {
        steps: [{ newConnectionsPercent: 50, movePercent: 20, pauseSeconds: 30 }],
        analysis: { intervalSeconds: 10, minSample: 10, maxErrorPercent: 3 },
      },
    });
    const load = await openLoad(context, chat, { clients: CLIENTS, rooms: 10, messagesPerSecond: 1 });
    const way = await chat.clientUrl();
    context.defer(() => way.close());
    const newcomers = startNewcomers(way.url);
    context.defer(() => newcomers.stop());
    await breathe(context);
    const checks = new Checks();
    checks.holds("newcomers are served before", newcomers.served > 0 && newcomers.refused === 0, newcomers);
    // Ready pods, and no way in for whoever has no token.
    await chat.patch({ auth: { anonymous: false } });
    const condition = await waitFor(
      "a condition that says why",
      async () => (await chat.object()).status?.conditions?.find((one) => one.reason === "GateFailed"),
      { timeoutMs: TIMEOUT_MS, signal: context.signal },
    );
    context.say(`${condition.type}=${condition.status} ${condition.reason}: ${condition.message}`);
    checks.holds(
      "it says what and how much",
      /errors: \d+ of \d+ \(limit 3 %\); old set: /.test(condition.message),
      condition,
    );
    const { status } = await chat.object();
    const { result, clients, checks: numbers } = status?.preflight ?? {};
    context.say(`preflight ${result}: ${clients}`);
    checks.holds("the preflight says its numbers", (numbers?.length ?? 0) >= 6, status?.preflight);
    await chat.settled(context.images["server:v1"], 3, TIMEOUT_MS);
    const before = { ...newcomers };
    await breathe(context);
    checks.holds("newcomers were turned away by the new version", before.refused > 0, before);
    checks.equal("newcomers turned away since it is gone", newcomers.refused - before.refused, 0);
    checks.holds("newcomers are served again", newcomers.served > before.served, newcomers);
    const events = (await chat.events()).map((event) => event.reason);
    checks.holds("an event says so", events.includes("GateFailed"), events);
    newcomers.stop();
    const summary = await load.finish();
    context.say(`${figures(summary)}; newcomers: ${newcomers.served} served, ${newcomers.refused} turned away`);
    checkNothingLost(checks, summary);
    checks.equal("sockets cut", summary.cut, 0);
    checks.settle();
  },
};

type Newcomers = { served: number; refused: number; stop(): void };

/** Clients that were never here before, one after another: each says hello and leaves. */
function startNewcomers(url: string): Newcomers {
  const open = new Set<WebSocket>();
  const newcomers: Newcomers = {
    served: 0,
    refused: 0,
    stop() {
      clearInterval(timer);
      for (const socket of open) socket.close();
    },
  };
  const timer = setInterval(() => {
    const socket = new WebSocket(url, SUBPROTOCOL);
    open.add(socket);
    socket.onopen = () => socket.send(JSON.stringify({ t: "hello", producer: { id: "new", gen: 1 }, caps: [] }));
    socket.onmessage = ({ data }) => {
      const text = String(data);
      if (text.includes('"t":"welcome"')) newcomers.served++;
      else if (text.includes('"t":"err"')) newcomers.refused++;
      else return;
      socket.close(1_000);
    };
    socket.onclose = () => open.delete(socket);
  }, NEWCOMER_EVERY_MS);
  return newcomers;
}
