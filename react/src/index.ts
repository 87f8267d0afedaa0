// Public surface of @wscluster/react.
export type { Channel, ChannelStatus } from "./channel-store.ts";
export type { WsClusterProviderProps } from "./provider.ts";
export { WsClusterProvider, useClient } from "./provider.ts";
export type { UseChannelOptions, UsedChannel } from "./use-channel.ts";
export { useChannel } from "./use-channel.ts";
export type { Connection } from "./use-connection-state.ts";
export { useConnectionState } from "./use-connection-state.ts";
