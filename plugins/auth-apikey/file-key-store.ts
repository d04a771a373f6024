import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { JsonFile } from '../../core/index.js';
import type { StoredKey } from './api-key.js';
import { type KeyStore, MOST_KEYS } from './key-store.js';
import { CONSUMER_PATTERN, METHOD_PATTERN, SERVICE_PATTERN } from './schema.js';

const closed = { additionalProperties: false } as const;
// The latest time that has a date (ECMA-262 section 21.4.1.1).
const Time = Type.Integer({ minimum: 0, maximum: 8.64e15 });
const Hash = Type.String({ pattern: '^[0-9a-f]{64}$' });

const LayoutSchema = Type.Object(
  {
    version: Type.Literal(1),
    keys: Type.Array(
      Type.Object(
        {
          id: Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' }),
          consumer: Type.String({ pattern: CONSUMER_PATTERN }),
          name: Type.String(),
          services: Type.Optional(Type.Array(Type.String({ pattern: SERVICE_PATTERN }))),
          methods: Type.Optional(Type.Array(Type.String({ pattern: METHOD_PATTERN }))),
          rateLimit: Type.Optional(
            Type.Object(
              {
                requests: Type.Integer({ minimum: 1 }),
                window: Type.Number({ exclusiveMinimum: 0 }),
                burst: Type.Optional(Type.Integer({ minimum: 1 })),
              },
              closed,
            ),
          ),
          expiresAt: Type.Optional(Time),
          hash: Hash,
          prefix: Type.String(),
          createdAt: Time,
          rotatedAt: Type.Optional(Time),
          previous: Type.Optional(Type.Object({ hash: Hash, prefix: Type.String(), until: Time }, closed)),
        },
        closed,
      ),
      { maxItems: MOST_KEYS },
    ),
  },
  closed,
);

/** Keys in a file, hashed: `{ "version": 1, "keys": [...] }`. What was saved survives a loss of power. */
export class FileKeyStore implements KeyStore {
  readonly #file: JsonFile<{ keys: readonly StoredKey[] }>;

  /** @param path made with the first key, with its directories */
  constructor(path: string) {
    this.#file = new JsonFile({
      path,
      purpose: 'the API keys that were made at run time',
      version: 1,
      parse: parseLayout,
    });
  }

  async load(): Promise<readonly StoredKey[]> {
    return (await this.#file.read())?.keys ?? [];
  }

  async save(keys: readonly StoredKey[]): Promise<void> {
    await this.#file.write({ keys });
  }
}

function parseLayout(content: unknown): { keys: Static<typeof LayoutSchema>['keys'] } {
  if (!Value.Check(LayoutSchema, content)) {
    const [error] = Value.Errors(LayoutSchema, content);
    throw new Error(`at ${error?.instancePath || '/'} it ${error?.message ?? 'is wrong'}`);
  }
  const seen = new Set<string>();
  for (const [index, { id, hash, previous }] of content.keys.entries()) {
    for (const unique of [id, hash, previous?.hash]) {
      if (unique === undefined) continue;
      if (seen.has(unique)) throw new Error(`at /keys/${index} there is a key for the second time`);
      seen.add(unique);
    }
  }
  return { keys: content.keys };
}
