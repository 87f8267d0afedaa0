// What scenarios, the demo and benches need of a running cluster: kubectl, helm, images, a way to a Service.
import { run, tryRun, type CommandOptions, type CommandResult } from "./command.ts";
import type { ClusterDriver, ServiceAccess } from "./driver.ts";

type Options = Pick<CommandOptions, "cwd" | "input" | "signal">;

export type ClusterAccess = {
  readonly driver: ClusterDriver;
  /** Runs kubectl, which has to succeed, and returns its output. */
  kubectl(args: readonly string[], options?: Options): Promise<string>;
  /** Runs kubectl and returns output and exit status, for calls that may be refused. */
  tryKubectl(args: readonly string[], options?: Options): Promise<CommandResult>;
  helm(args: readonly string[], options?: Options): Promise<string>;
  /** `ws://HOST:PORT` of a Service's port as this process reaches it; `close` ends what holds the way open. */
  serviceUrl(namespace: string, service: string, port: number): Promise<ServiceUrl>;
};

export type ServiceUrl = Pick<ServiceAccess, "close"> & { readonly url: string };

export function accessCluster(driver: ClusterDriver): ClusterAccess {
  const kubectl = (args: readonly string[]) => [driver.kubectlPath, `--kubeconfig=${driver.kubeconfig}`, ...args];
  return {
    driver,
    kubectl: (args, options) => run(kubectl(args), options),
    tryKubectl: (args, options) => tryRun(kubectl(args), options),
    helm: (args, options) => run([driver.helmPath, ...args], { ...options, env: { KUBECONFIG: driver.kubeconfig } }),
    async serviceUrl(namespace, service, port) {
      const access = await driver.openService(namespace, service, port);
      return { url: `ws://${access.host}:${access.port}`, close: () => access.close() };
    },
  };
}
