// Webhooks of a rollout on a real cluster: one that the operator may not call, and one that first says no and then yes.
import type { Chat } from "../product/chat.ts";
import { isReady, type PodObject } from "../product/objects.ts";
import { waitFor } from "../product/wait.ts";
import { Checks, type Scenario, type ScenarioContext } from "./scenario.ts";
import { breathe, checkNobodyNoticed, figures, openChat, openLoad, ROLLOUT_TIMEOUT_MS } from "./stage.ts";

const CLIENTS = 40;
const PORT = 8090;
const BODY = "words-that-nobody-may-see";
const TIMEOUT_MS = 90_000;
/** Says no to the first question and yes to all others, and writes down what it was asked. */
const SERVER = `let asked = 0;
require("node:http").createServer((request, response) => {
  let text = "";
  request.on("data", (chunk) => (text += chunk));
  request.on("end", () => {
    console.log(text);
    response.writeHead(asked++ === 0 ? 403 : 200).end("${BODY}");
  });
}).listen(${PORT});`;

export const asksFirst: Scenario = {
  name: "asks-first",
  shows:
    "a rollout asks the user's own service first: it waits while the answer is no and goes on at a yes, and calls nothing that was not allowed",
  timeoutSeconds: 400,
  company: "beside",
  async run(context) {
    const chat = await openChat(context);
    const load = await openLoad(context, chat, { clients: CLIENTS, rooms: 8, messagesPerSecond: 1 });
    const address = await startService(context, chat);
    const webhook = (url: string, phase: "Preflight" | "Verify") => [{ name: "smoke", url, phase }];
    await chat.patch({
      rollout: { onFailure: "Pause", webhooks: webhook("http://169.254.169.254/latest/meta-data", "Preflight") },
    });
    const green = context.images["server:v2"];
    await chat.setImage(green);
    const refused = await untilTold(context, chat, /169\.254\.169\.254 is not allowed/);
    context.say(refused);
    const checks = new Checks();
    checks.equal("pods of the new image", await podsOf(chat, green), 0);
    await chat.patch({ rollout: { webhooks: webhook(`http://${address}:${PORT}/gate`, "Verify") } });
    context.say(await untilTold(context, chat, /webhook smoke: it answers 403/));
    checks.holds("the new pods wait", (await podsOf(chat, green)) > 0, await podsOf(chat, green));
    const { status } = await chat.object();
    checks.holds("the answer's body is nowhere", !JSON.stringify(status).includes(BODY), status);
    await chat.switched(green, ROLLOUT_TIMEOUT_MS);
    await breathe(context);
    const asked = (await chat.kubectl(["logs", "checks"])).trim().split("\n");
    context.say(`${asked.length} questions; the last: ${asked.at(-1) ?? ""}`);
    checks.equal("questions", asked.length, 2);
    checks.holds(
      "they say what is asked about",
      asked.every((line) => line.includes(`"name":"${chat.name}"`)),
      asked,
    );
    const summary = await load.finish();
    context.say(figures(summary));
    checkNobodyNoticed(checks, summary);
    checks.settle();
  },
};

/** The address of a pod that answers. */
async function startService(context: ScenarioContext, chat: Chat): Promise<string> {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "checks", namespace: chat.namespace },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: "checks",
          image: context.images["server:v1"],
          imagePullPolicy: "IfNotPresent",
          command: ["node", "--eval", SERVER],
        },
      ],
    },
  };
  await chat.kubectl(["apply", "--filename=-"], JSON.stringify(pod));
  return waitFor(
    "the user's own service",
    async () => {
      const live = JSON.parse(await chat.kubectl(["get", "pod", "checks", "--output=json"])) as PodObject;
      return isReady(live) ? live.status.podIP : undefined;
    },
    { timeoutMs: TIMEOUT_MS, signal: context.signal },
  );
}

async function podsOf(chat: Chat, image: string): Promise<number> {
  return (await chat.pods("server")).filter((pod) => pod.spec.containers[0]?.image === image).length;
}

/** The message of the condition that says this. */
function untilTold(context: ScenarioContext, chat: Chat, what: RegExp): Promise<string> {
  let seen = "";
  return waitFor(
    `a condition that says ${what.source}`,
    async () => {
      const conditions = (await chat.object()).status?.conditions ?? [];
      seen = conditions.map(({ type, reason, message }) => `${type} ${reason}: ${message}`).join("; ");
      return conditions.find(({ message }) => what.test(message))?.message;
    },
    { timeoutMs: TIMEOUT_MS, signal: context.signal, seen: () => seen },
  );
}
