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
export { IsoTimes, jsonMilliseconds, jsonText } from './log/json-text.js';
export { LineWriter } from './log/line-writer.js';
export { createLog, type LineSink, type Log, type Logger, type LogLevel } from './log/logger.js';
export { AddressRanges, parseAddress } from './net/address-ranges.js';
export * from './plugin.js';
export { EndToEndFields } from './proxy/end-to-end-fields.js';
export { latin1 } from './proxy/latin1.js';
export { type CopyCounts, type CopyForm, copyForm, RequestCopies } from './proxy/request-copy.js';
export { upstreamError } from './proxy/upstream-errors.js';
export type { BodySink, BodyTap, UpstreamResponse } from './proxy/upstream-response.js';
export type { WholeBody } from './proxy/whole-body.js';
export { leadTo, upstreamPathFor } from './routing/service-path.js';
export {
  type Derive,
  type PasswordHash,
  parsePasswordHash,
  unmatchableHash,
  verifyPassword,
} from './secrets/password-hash.js';
export { type KeptHead, serialiseFields } from './server/response-head.js';
export {
  answerStored,
  backgroundContext,
  fieldsOf,
  forgetReceived,
  putFields,
  type StoredAnswer,
} from './server/stored-answer.js';
export { hash32, mix32 } from './services/balancers/hash.js';
export { cookieValue, type HashKey, hashKeyOf } from './services/balancers/hash-key.js';
export type { ServiceRegistry } from './services/registry.js';
export type { Service } from './services/service.js';
export { type ServiceReference, ServiceReferences } from './services/service-references.js';
export type { Target } from './services/target.js';
export { TlsFiles } from './services/tls-files.js';
export { DamagedFileError, JsonFile } from './state/json-file.js';
export { notingFailure } from './statistics/authentication-failure.js';
export { errorCodeOf, statusOf, wasDelivered, wasSuccessful } from './statistics/outcome.js';
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
