import type { Registry } from 'prom-client';
import type { InjectionToken } from 'tsyringe';
import type { Clock } from './clock.js';
import type { GatewayEvents } from './events.js';
import type { KeptState } from './kept-state.js';
import type { Logger } from './log/logger.js';
import type { Metric } from './plugin.js';
import type { ServiceRegistry } from './services/registry.js';

// Symbols of the global registry: a plugin may come with a copy of this module of its own, and must mean the same.

/** The effective options of the plugin instance that is being built; frozen. */
export const OPTIONS: InjectionToken<unknown> = Symbol.for('gateway:options');
/** The id of the plugin instance: its name unless `.gatewayrc` gives another. */
export const PLUGIN_ID: InjectionToken<string> = Symbol.for('gateway:plugin-id');
/** A logger whose lines carry the plugin's id. */
export const LOGGER: InjectionToken<Logger> = Symbol.for('gateway:logger');
/** The gateway's time. */
export const CLOCK: InjectionToken<Clock> = Symbol.for('gateway:clock');
/** The prom-client registry behind `/metrics`; one per gateway. */
export const METRICS: InjectionToken<Registry> = Symbol.for('gateway:metrics');
/** The `metrics` members of all plugins of the generation that takes requests, asked when it is called. */
export const PLUGIN_METRICS: InjectionToken<() => readonly Metric[]> = Symbol.for('gateway:plugin-metrics');
/** The services and their targets. */
export const SERVICES: InjectionToken<ServiceRegistry> = Symbol.for('gateway:services');
/** Where the gateway announces what happened. */
export const EVENTS: InjectionToken<GatewayEvents> = Symbol.for('gateway:events');
/** State that outlives a reload. */
export const KEPT_STATE: InjectionToken<KeptState> = Symbol.for('gateway:kept-state');
/** The folder for what is created at run time and kept over a restart. */
export const DATA_DIRECTORY: InjectionToken<string> = Symbol.for('gateway:data-directory');
/** The folder of the configuration file, which files in options are relative to; absolute. */
export const BASE_DIRECTORY: InjectionToken<string> = Symbol.for('gateway:base-directory');
