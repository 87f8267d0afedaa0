// At rest the operator and the fleet write nothing to the API server, leases excepted: counted in its audit log.
import { childNames } from "@wscluster/crds";
import { SYSTEM_NAMESPACE } from "../product/install.ts";
import { pause, waitFor } from "../product/wait.ts";
import { auditLogSize, isWrite, readAuditLog } from "./audit-log.ts";
import { Checks, type Scenario } from "./scenario.ts";
import { openChat, openLoad } from "./stage.ts";

const REPORT_TIMEOUT_MS = 120_000;
const SETTLE_MS = 20_000;
const OPERATOR = `system:serviceaccount:${SYSTEM_NAMESPACE}:wscluster-operator`;

export const idle: Scenario = {
  name: "idle",
  shows: "at rest, with clients that talk, operator and fleet send no write request but their lease",
  timeoutSeconds: 600,
  company: "beside",
  async run(context) {
    const watchMs = context.quick ? 60_000 : 300_000;
    const chat = await openChat(context);
    const load = await openLoad(context, chat, { clients: 40, rooms: 8 });
    // Rest begins when the clients that have come are in the report; the operator looks at rest only now and then.
    await waitFor(
      "the status to count the clients",
      async () => ((await chat.object()).status?.connections ?? 0) > 0 || undefined,
      { timeoutMs: REPORT_TIMEOUT_MS, everyMs: 2_000, signal: context.signal },
    );
    await pause(SETTLE_MS, context.signal);
    const { auditLog } = context.access.driver;
    const from = await auditLogSize(auditLog);
    await pause(watchMs, context.signal);
    const entries = await readAuditLog(auditLog, from);
    const summary = await load.finish();
    const names = childNames(chat.name);
    const fleet = [names.serverAccount, names.edgeAccount].map(
      (account) => `system:serviceaccount:${context.namespace}:${account}`,
    );
    // Other clusters may be at work meanwhile; what the operator does for them is not this one's rest.
    const here: readonly string[] = [context.namespace, SYSTEM_NAMESPACE, ""];
    const ours = entries.filter(
      (entry) => here.includes(entry.namespace) && (entry.user === OPERATOR || fleet.includes(entry.user)),
    );
    const writes = ours.filter((entry) => isWrite(entry) && entry.resource !== "leases");
    const leases = ours.filter((entry) => isWrite(entry) && entry.resource === "leases");
    context.say(
      `${watchMs / 1_000} s: ${ours.length} requests of ours, ${leases.length} for the lease, ${writes.length} other writes`,
    );
    const checks = new Checks();
    checks.equal("write requests at rest", writes.slice(0, 5), []);
    // Without its lease in the log the operator was not looked at, and the zero above would mean nothing.
    checks.holds("the log shows the operator's lease", leases.length > 0, entries.length);
    for (const fault of ["lost", "duplicated", "reordered", "forked"] as const)
      checks.equal(fault, summary.verdict[fault], 0);
    checks.settle();
  },
};
