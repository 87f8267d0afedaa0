// A user's budget beside ours: one of them has to go, and it is ours.
import { describe, expect, it } from "vitest";
import type { Pod, PodDisruptionBudget } from "../kube/index.ts";
import { otherBudgetsOf, yieldBudgets } from "./other-budgets.ts";
import type { Action } from "./plan.ts";

type Selector = NonNullable<NonNullable<PodDisruptionBudget["spec"]>["selector"]>;

const budget = (name: string, selector: Selector | undefined, labels: Record<string, string> = {}) => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name, namespace: "shop", uid: name, resourceVersion: "1", labels },
  spec: selector === undefined ? {} : { selector },
});
const pod = (uid: string, labels: Record<string, string>): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: uid, namespace: "shop", uid, resourceVersion: "1", labels },
});
const pods = [pod("p1", { app: "chat", tier: "front" }), pod("p2", { app: "other" })];
const selectedBy = (selector: Selector | undefined) => [
  ...otherBudgetsOf([budget("mine", selector)], "chat", pods).keys(),
];

describe("otherBudgetsOf", () => {
  it("reads selectors as policy/v1 does", () => {
    expect(selectedBy(undefined)).toEqual([]);
    expect(selectedBy({})).toEqual(["p1", "p2"]);
    expect(selectedBy({ matchLabels: { app: "chat" } })).toEqual(["p1"]);
    expect(selectedBy({ matchLabels: { app: "chat", tier: "back" } })).toEqual([]);
    expect(selectedBy({ matchExpressions: [{ key: "app", operator: "In", values: ["other", "x"] }] })).toEqual(["p2"]);
    expect(selectedBy({ matchExpressions: [{ key: "tier", operator: "NotIn", values: ["front"] }] })).toEqual(["p2"]);
    expect(selectedBy({ matchExpressions: [{ key: "tier", operator: "Exists" }] })).toEqual(["p1"]);
    expect(selectedBy({ matchExpressions: [{ key: "tier", operator: "DoesNotExist" }] })).toEqual(["p2"]);
  });

  it("leaves the operator's own out", () => {
    const own = budget("chat-a", {}, { "wscluster.io/cluster": "chat" });
    expect(otherBudgetsOf([own], "chat", pods).size).toBe(0);
  });
});

describe("yieldBudgets", () => {
  const apply = (name: string): Action => ({
    kind: "apply",
    manifest: { apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata: { name } },
  });
  const actions = [apply("chat-a"), apply("chat-b"), apply("chat-edge-e"), apply("chat-draining")];
  const facts = (otherBudgets: ReadonlyMap<string, string>) =>
    ({
      cluster: { name: "chat" },
      budgets: [{ name: "chat-a", uid: "ua", resourceVersion: "1" }],
      pods: [
        { uid: "p1", revision: "a" },
        { uid: "p2", revision: "b" },
      ],
      edgePods: [{ uid: "e1", revision: "e" }],
      otherBudgets,
    }) as unknown as Parameters<typeof yieldBudgets>[0];

  it("changes nothing without a user's budget", () => {
    expect(yieldBudgets(facts(new Map()), actions)).toEqual({ actions, events: [] });
  });

  it("takes back the budget of the set whose pods are selected, and that of pods which leave", () => {
    const { actions: left, events } = yieldBudgets(facts(new Map([["p1", "mine"]])), actions);
    expect(left).toEqual([
      apply("chat-b"),
      apply("chat-edge-e"),
      { kind: "delete", resource: "podDisruptionBudgets", name: "chat-a", uid: "ua" },
    ]);
    expect(events).toEqual([{ reason: "BudgetYields", message: expect.stringContaining("mine") }]);
  });

  it("tells nothing of a budget that is gone already", () => {
    expect(yieldBudgets(facts(new Map([["e1", "mine"]])), actions).events).toEqual([]);
  });
});
