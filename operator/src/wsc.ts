#!/usr/bin/env node
// Composition root of `wsc` and `kubectl-wsc`: the only file here that reads argv and files and ends the process.
import { readFile } from "node:fs/promises";
import { CommanderError } from "commander";
import { parse } from "yaml";
import { EXIT } from "./cli/answers.ts";
import { contractTest } from "./cli/contract-test.ts";
import { planLines } from "./cli/plan.ts";
import { wscProgramFor } from "./cli/wsc-program.ts";
import { Connection, KubeClient, KubeError, loadAccess } from "./kube/index.ts";
import { runConfigSchema } from "./run-config.ts";
import { systemClock } from "./runtime/index.ts";

async function specFrom(file: string): Promise<unknown> {
  const document: unknown = parse(await readFile(file, "utf8"));
  return typeof document === "object" && document !== null && "spec" in document ? document.spec : undefined;
}

const program = wscProgramFor({
  async withApi({ namespace, kubeconfig, context }, use) {
    const access = loadAccess({ kubeconfigPath: kubeconfig, context });
    const connection = new Connection(access, systemClock);
    try {
      const api = new KubeClient({ connection, clock: systemClock, fieldManager: "kubectl-wsc" });
      return await use({ api, namespace: namespace ?? access.namespace ?? "default" });
    } finally {
      await connection.close();
    }
  },
  async plan({ api, namespace, name, file }) {
    const { WSC_AGENT_IMAGE: agentImage, WSC_EDGE_IMAGE: edgeImage } = runConfigSchema.parse({});
    const spec = file === undefined ? {} : { spec: await specFrom(file) };
    const defaults = { agentImage, edgeImage };
    const lines = await planLines({ api, namespace, name, ...spec, defaults, nowMs: Date.now() });
    return { lines, data: { lines }, code: EXIT.done };
  },
  contractTest: (options) => contractTest({ ...options, fetch }),
  now: () => new Date().toISOString(),
  print: (line) => void process.stdout.write(`${line}\n`),
  onExit: (code) => void (process.exitCode = code),
});

program.exitOverride();
for (const command of program.commands) {
  command.exitOverride();
  for (const nested of command.commands) nested.exitOverride();
}

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong already. Its help and its version end with 0.
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  } else {
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(
      `${error instanceof KubeError && error.code === "NotFound" ? `${text}; see \`wsc status -A\`` : text}\n`,
    );
    process.exitCode = EXIT.failed;
  }
}
