/** The gateway's public face: what plugins, and programs that embed the gateway, import. */
export { readJsonBody } from './admin/json-body.js';
export {
  Authentication,
  type AuthenticationMode,
  type AuthenticationState,
} from './authentication/authentication.js';
export { PublicPaths } from './authentication/public-paths.js';
export type { Clock, Timer } from './clock.js';
export { systemClock } from './clock.js';
export { ConfigurationError, type Mistake } from './config/mistakes.js';
export { Duration, parseDuration, Size } from './config/units.js';
export { compileOptions, type Validated } from './config/validator.js';
export { createGateway, type EmbeddedGateway, type GatewayOptions } from './create-gateway.js';
export { ERRORS, type ErrorCode, GatewayError, type GatewayErrorOptions, isGatewayError } from './errors.js';
export { type GatewayEventMap, GatewayEvents } from './events.js';
export { type Decisions, Exchange, GatewayRequest } from './exchange.js';
export { KeptState } from './kept-state.js';
export { createLog, type Log, type Logger, type LogLevel } from './log/logger.js';
export { AddressRanges, parseAddress } from './net/address-ranges.js';
export * from './plugin.js';
export {
  type Derive,
  type PasswordHash,
  parsePasswordHash,
  unmatchableHash,
  verifyPassword,
} from './secrets/password-hash.js';
export type { ServiceRegistry } from './services/registry.js';
export type { Service } from './services/service.js';
export type { Target } from './services/target.js';
export { DamagedFileError, JsonFile } from './state/json-file.js';
export {
  BASE_DIRECTORY,
  CLOCK,
  DATA_DIRECTORY,
  EVENTS,
  KEPT_STATE,
  LOGGER,
  METRICS,
  OPTIONS,
  PLUGIN_ID,
  PLUGIN_METRICS,
  SERVICES,
} from './tokens.js';
