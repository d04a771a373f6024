import type { Clock, KeptState, Logger } from '../../../core/index.js';
import type { AuthJwtOptions } from '../options.js';
import { HMAC_ALGORITHMS } from './algorithms.js';
import { checkKeyServerUrl, httpFetcher } from './jwks-fetch.js';
import { KeyRing } from './key-ring.js';
import { RemoteKeys } from './remote-keys.js';
import { readSharedSecret, weaknessOf } from './shared-secret.js';
import { readPublicKey, type VerificationKey, verificationKey } from './verification-key.js';

/** Most bytes of a key set. */
const MOST_JWKS_BYTES = 256 * 1024;

/** The services that keys are built with. */
export interface KeyServices {
  readonly pluginId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly kept: KeptState;
  /** Folder that files of keys are relative to. */
  readonly baseDirectory: string;
}

/**
 * All keys of the options, each with its algorithms.
 *
 * @throws Error for a weak secret, an unusable key, an algorithm that no key has
 */
export function createKeyRing(options: AuthJwtOptions, services: KeyServices): KeyRing {
  const keys = [secretKey(options, services.logger), ...publicKeys(options, services.baseDirectory)].filter(
    (key) => key !== undefined,
  );
  for (const algorithm of options.algorithms ?? []) {
    if (keys.some(({ algorithms }) => algorithms.includes(algorithm))) continue;
    throw new Error(`algorithms has ${algorithm}, which goes with no key that is configured`);
  }
  return new KeyRing(keys, remoteKeys(options, services));
}

/** The shared secret; undefined where there is none. */
function secretKey(options: AuthJwtOptions, logger: Logger): VerificationKey | undefined {
  const { secret, allowWeakSecret, algorithms = ['HS256'] } = options;
  if (secret === undefined) return undefined;
  const key = verificationKey('secret', readSharedSecret(secret, allowWeakSecret), undefined, algorithms);
  const weakness = weaknessOf(secret);
  if (weakness !== undefined) logger.warn({ weakness }, 'Anybody can forge tokens: the secret is weak');
  return key;
}

function publicKeys(
  { publicKey, publicKeys, algorithms }: AuthJwtOptions,
  baseDirectory: string,
): VerificationKey[] {
  const single =
    publicKey === undefined ? [] : [{ name: 'publicKey', key: publicKey, kid: undefined, own: undefined }];
  const several = publicKeys.map(({ key, kid, algorithms: own }, index) => ({
    name: `publicKeys[${index}]`,
    key,
    kid,
    own,
  }));
  const general = algorithms?.filter((algorithm) => !HMAC_ALGORITHMS.includes(algorithm));
  // `algorithms` may only speak of the secret: then it leaves the public keys their usual one.
  const fallback = general === undefined || general.length === 0 ? undefined : general;
  return [...single, ...several].map(({ name, key, kid, own }) =>
    verificationKey(name, readPublicKey(name, key, baseDirectory), kid, own ?? fallback),
  );
}

function remoteKeys({ jwks }: AuthJwtOptions, { pluginId, clock, logger, kept }: KeyServices): RemoteKeys[] {
  return jwks.map((options) => {
    const { url, timeout, allowInsecure } = options;
    checkKeyServerUrl(url, allowInsecure);
    // Kept over a reload: the last good keys are all there is while the key server is away.
    return kept.keep(`auth-jwt:jwks:${pluginId}:${JSON.stringify(options)}`, () => {
      const fetch = httpFetcher({ timeout, maxBytes: MOST_JWKS_BYTES });
      return new RemoteKeys(options, fetch, clock, logger);
    });
  });
}
