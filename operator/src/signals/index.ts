// Public surface of the signals: scrape pods, and reduce what they say to a LoadSnapshot.
export { ExpositionParser, formatOf, type Exposition } from "./exposition.ts";
export { createTextFetcher, type ScrapeTarget, type TextFetcher } from "./http-text.ts";
export { PARTITIONS, PARTITION_METRICS, type ChannelHeat } from "./reading.ts";
export type { PodSignal } from "./pod-signal.ts";
export { Scraper, type ScraperCounts, type ScraperOptions } from "./scraper.ts";
export { loadSnapshotFor, type LoadSnapshot, type PodIdentity, type PodLoad } from "./snapshot.ts";
