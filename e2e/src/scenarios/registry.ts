// All scenarios, in the order in which `--all` runs them.
import { asksFirst } from "./asks-first.ts";
import { badAnalysis } from "./bad-analysis.ts";
import { badImage } from "./bad-image.ts";
import { blueGreen } from "./blue-green.ts";
import { browsers } from "./browsers.ts";
import { changedMinds } from "./changed-minds.ts";
import { firstConnect } from "./first-connect.ts";
import { idle } from "./idle.ts";
import { invalidSpec } from "./invalid-spec.ts";
import { nodeDrains } from "./node-drains.ts";
import { operatorKilled } from "./operator-killed.ts";
import { operatorUpgraded } from "./operator-upgraded.ts";
import { operatorsReplaced } from "./operators-replaced.ts";
import { podKilled } from "./pod-killed.ts";
import { rebalance, rebalanceAutomatic } from "./rebalance.ts";
import { redisPaused } from "./redis-paused.ts";
import { uninstalled } from "./uninstalled.ts";
import { rolloutSteps } from "./rollout-steps.ts";
import type { Scenario } from "./scenario.ts";
import { scaledInFlight } from "./scaled-in-flight.ts";
import { statusWiped } from "./status-wiped.ts";

export const SCENARIOS: readonly Scenario[] = [
  invalidSpec,
  firstConnect,
  blueGreen,
  rolloutSteps,
  operatorKilled,
  podKilled,
  statusWiped,
  badImage,
  badAnalysis,
  asksFirst,
  browsers,
  redisPaused,
  rebalance,
  rebalanceAutomatic,
  nodeDrains,
  changedMinds,
  scaledInFlight,
  operatorsReplaced,
  operatorUpgraded,
  uninstalled,
  idle,
];
