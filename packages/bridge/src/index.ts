/** The public surface: what a program needs to run a bridge or an embedded node inside itself. */
export { type Config, type ConfigSources, type ParsedConfig, parseConfig } from './config.ts';
export { type EmbeddedNode, type EmbeddedNodeOptions, startEmbeddedNode } from './embedded-node.ts';
export { createLog, type LogLevel } from './log.ts';
export { type Service, startService } from './service.ts';
