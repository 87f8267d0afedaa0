import { describe, expect, it } from "vitest";
import { storeSettingsOf } from "./store-settings.ts";

describe("settings of a store", () => {
  it("are read out of INFO", () => {
    const info = "# Memory\r\nmaxmemory_policy:noeviction\r\n# Replication\r\nrole:master\r\nconnected_slaves:2\r\n";
    expect(storeSettingsOf(info)).toEqual({ evictionPolicy: "noeviction", replicas: 2, minReplicasToWrite: 0 });
    const guarded = storeSettingsOf(`${info}min_slaves_good_slaves:2\r\n`);
    expect(guarded.minReplicasToWrite).toBe(1);
  });

  it("are not guessed where the store hides them", () => {
    expect(storeSettingsOf("")).toEqual({});
    expect(storeSettingsOf("# Memory\nmaxmemory_policy:allkeys-lru")).toEqual({ evictionPolicy: "allkeys-lru" });
    expect(storeSettingsOf("connected_slaves:many")).toEqual({ minReplicasToWrite: 0 });
  });
});
