// Keys and certificates of the local cluster, made with openssl; kubeconfig files around them.
// One authority signs all: this cluster lives on one machine for an hour, so separate front-proxy and etcd authorities add nothing.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../command.ts";
import { API_SERVICE_ADDRESS, API_URL, CONTROL_PLANE, NODES } from "./layout.ts";

const DAYS = "365";

type Identity = { readonly name: string; readonly subject: string; readonly alternativeNames?: string };

const API_SERVER_NAMES = [
  "IP:127.0.0.1",
  `IP:${CONTROL_PLANE.address}`,
  `IP:${API_SERVICE_ADDRESS}`,
  "DNS:localhost",
  "DNS:kubernetes",
  "DNS:kubernetes.default",
  "DNS:kubernetes.default.svc",
  "DNS:kubernetes.default.svc.cluster.local",
].join(",");

/** Who gets a certificate; `user: true` ones get a kubeconfig too. */
const USERS: readonly Identity[] = [
  { name: "admin", subject: "/O=system:masters/CN=admin" },
  { name: "controller-manager", subject: "/CN=system:kube-controller-manager" },
  { name: "scheduler", subject: "/CN=system:kube-scheduler" },
  { name: "proxy", subject: "/CN=system:kube-proxy" },
  // Not admin: reads of the name server must not look like a person's in the audit log.
  { name: "dns", subject: "/O=system:masters/CN=dns" },
  ...NODES.map((node) => ({ name: node.name, subject: `/O=system:nodes/CN=system:node:${node.name}` })),
];

const SERVICES: readonly Identity[] = [
  { name: "apiserver", subject: "/CN=kube-apiserver", alternativeNames: API_SERVER_NAMES },
  { name: "kubelet-client", subject: "/O=system:masters/CN=apiserver-kubelet" },
];

const ELLIPTIC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Renders a kubeconfig with everything embedded, so that the file can be copied anywhere on this machine. */
export function kubeconfigFor(user: string, authority: string, certificate: string, key: string): string {
  const base64 = (pem: string) => Buffer.from(pem).toString("base64");
  // JSON is YAML, and kubectl reads it.
  return `${JSON.stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "wscluster-local",
      clusters: [
        { name: "wscluster-local", cluster: { server: API_URL, "certificate-authority-data": base64(authority) } },
      ],
      users: [{ name: user, user: { "client-certificate-data": base64(certificate), "client-key-data": base64(key) } }],
      contexts: [{ name: "wscluster-local", context: { cluster: "wscluster-local", user } }],
    },
    undefined,
    2,
  )}\n`;
}

export async function createPki(folder: string, signal?: AbortSignal): Promise<void> {
  const file = (name: string) => join(folder, name);
  await run(
    [
      "openssl",
      "req",
      "-x509",
      ...ELLIPTIC,
      "-keyout",
      file("ca.key"),
      "-out",
      file("ca.crt"),
      "-days",
      DAYS,
      "-subj",
      "/CN=wscluster-local",
    ],
    { signal },
  );
  const authority = await readFile(file("ca.crt"), "utf8");
  await Promise.all([
    ...[...USERS, ...SERVICES].map((identity) => createCertificate(folder, identity, signal)),
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", file("sa.key")], { signal }).then(
      () => run(["openssl", "pkey", "-in", file("sa.key"), "-pubout", "-out", file("sa.pub")], { signal }),
    ),
  ]);
  await Promise.all(
    USERS.map(async ({ name }) => {
      const [certificate, key] = await Promise.all([
        readFile(file(`${name}.crt`), "utf8"),
        readFile(file(`${name}.key`), "utf8"),
      ]);
      await writeFile(file(`${name}.conf`), kubeconfigFor(name, authority, certificate, key), { mode: 0o600 });
    }),
  );
}

async function createCertificate(folder: string, identity: Identity, signal?: AbortSignal): Promise<void> {
  const file = (extension: string) => join(folder, `${identity.name}.${extension}`);
  const names =
    identity.alternativeNames === undefined ? [] : ["-addext", `subjectAltName=${identity.alternativeNames}`];
  await run(
    [
      ...["openssl", "req", "-x509", ...ELLIPTIC, "-CA", join(folder, "ca.crt"), "-CAkey", join(folder, "ca.key")],
      ...["-keyout", file("key"), "-out", file("crt"), "-days", DAYS, "-subj", identity.subject],
      // Without it openssl marks every certificate as an authority.
      ...["-addext", "basicConstraints=critical,CA:FALSE", ...names],
    ],
    { signal },
  );
}
