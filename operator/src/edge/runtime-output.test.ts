// Texts as HAProxy 2.6 prints them, shortened, and as a newer one may: more columns, another order.
import { describe, expect, it } from "vitest";
import { parseClientSessions, parseInfo, parseServersState, parseStat } from "./runtime-output.ts";

const STATE_HEADER =
  "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port";
const row = (name: string, admin: number, check: number, address = "127.0.0.1"): string =>
  `3 be_pods 1 ${name} ${address} 2 ${admin} 1 1 2 15 3 3 ${check} 0 0 0 - 18080 - 0 18080 - - 18080`;

describe("parseServersState", () => {
  it("reads admin states and whether the check runs", () => {
    const text = [
      "1",
      STATE_HEADER,
      row("a", 0, 6),
      row("b", 8, 6),
      row("c", 1, 2),
      row("d", 9, 14, "fd00::1"),
      "",
    ].join("\n");
    expect(parseServersState(text)).toEqual([
      { key: "a", address: "127.0.0.1", port: 18_080, state: "ready", isCheckEnabled: true },
      { key: "b", address: "127.0.0.1", port: 18_080, state: "drain", isCheckEnabled: true },
      { key: "c", address: "127.0.0.1", port: 18_080, state: "maint", isCheckEnabled: false },
      { key: "d", address: "fd00::1", port: 18_080, state: "maint", isCheckEnabled: true },
    ]);
  });

  it("goes by the names of the columns and leaves other backends out", () => {
    const text = [
      "2",
      "# new be_name srv_name srv_port srv_addr srv_check_state srv_admin_state",
      "x be_pods a 80 1.1.1.1 4 0",
      "x other b 80 1.1.1.1 4 0",
    ].join("\n");
    expect(parseServersState(text).map(({ key, port }) => [key, port])).toEqual([["a", 80]]);
  });

  it("finds nothing in an error", () => {
    expect(parseServersState("Can't find backend.\n")).toEqual([]);
  });
});

describe("parseStat", () => {
  it("reads current sessions", () => {
    const text = "# pxname,svname,qcur,qmax,scur,smax\nfe_clients,FRONTEND,,,12,40\nbe_pods,a,0,0,7,9\n\n";
    expect(parseStat(text)).toEqual([
      { proxy: "fe_clients", server: "FRONTEND", connections: 12 },
      { proxy: "be_pods", server: "a", connections: 7 },
    ]);
  });
});

describe("parseInfo", () => {
  it("reads names and values", () => {
    expect(parseInfo("Name: HAProxy\nStopping: 1\nnode: a: b\n").get("Stopping")).toBe("1");
    expect(parseInfo("node: a: b\n").get("node")).toBe("a: b");
  });
});

describe("parseClientSessions", () => {
  it("names the sessions of clients and no others", () => {
    const text = [
      "0x55d0c0: proto=tcpv4 src=10.0.0.1:1024 fe=fe_clients be=be_pods srv=abc ts=00 epoch=0",
      "0x55d0d8: proto=tcpv4 src=10.0.0.1:1025 fe=fe_health be=<NONE> srv=<none> ts=00",
      "0x55d0f0: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00",
      "",
    ].join("\n");
    expect(parseClientSessions(text)).toEqual(["0x55d0c0"]);
  });
});
