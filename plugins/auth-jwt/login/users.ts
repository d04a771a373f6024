import { createHash, createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Type } from 'typebox';
import { parse } from 'yaml';
import {
  compileOptions,
  type PasswordHash,
  parsePasswordHash,
  unmatchableHash,
} from '../../../core/index.js';
import { type AuthJwtOptions, type UserDeclaration, UserSchema } from '../options.js';

/** A user who may log in. */
export interface User {
  readonly username: string;
  readonly hash: PasswordHash;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  /** Changes with the password. */
  readonly credential: string;
}

/** The users who may log in. */
export class Users {
  readonly #byName: ReadonlyMap<string, User>;
  readonly #decoys: readonly PasswordHash[];
  readonly #pepper = randomBytes(32);

  /** @throws Error for two users of one name, or a password hash that is none */
  constructor(declarations: readonly UserDeclaration[]) {
    const byName = new Map<string, User>();
    for (const { username, passwordHash, scopes, roles } of declarations) {
      const name = username.normalize('NFC');
      const hash = parsePasswordHash(passwordHash);
      if (hash === undefined) {
        throw new Error(
          `The user '${name}' has no usable passwordHash: make one with \`gateway hash-password\``,
        );
      }
      if (byName.has(name)) throw new Error(`There are two users '${name}'`);
      const credential = createHash('sha256').update(passwordHash).digest('base64url');
      byName.set(name, { username: name, hash, scopes, roles, credential });
    }
    this.#byName = byName;
    this.#decoys = [...byName.values()].map(({ hash }) => unmatchableHash(hash));
  }

  get size(): number {
    return this.#byName.size;
  }

  get(username: string): User | undefined {
    return this.#byName.get(username.normalize('NFC'));
  }

  /**
   * What to check the password of an unknown user against, so that it takes as long as for a known one. Where hashes
   * differ in cost, each unknown name always gets the same one.
   */
  decoyFor(username: string): PasswordHash | undefined {
    const pick = createHmac('sha256', this.#pepper).update(username).digest().readUInt32BE(0);
    return this.#decoys[pick % Math.max(this.#decoys.length, 1)];
  }
}

/**
 * The users of the options and of the users file.
 *
 * @param baseDirectory folder that the file is relative to
 * @throws Error for a file that cannot be read or is not as it must be
 */
export function loadUsers({ users, usersFile }: AuthJwtOptions, baseDirectory: string): Users {
  if (usersFile === undefined) return new Users(users);
  return new Users([...users, ...readUsersFile(resolve(baseDirectory, usersFile))]);
}

function readUsersFile(file: string): readonly UserDeclaration[] {
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    // The parser's message would quote the file.
    throw new Error(`usersFile '${file}' cannot be read, or is neither YAML nor JSON (${code})`);
  }
  const schema = Type.Object({ users: Type.Array(UserSchema) });
  const { value, mistakes } = compileOptions(schema)(content);
  if (mistakes.length > 0) {
    const faults = mistakes.map(
      ({ path, found, expected }) => `${path.join('.')}: found ${found}, expected ${expected}`,
    );
    throw new Error(`usersFile '${file}': ${faults.join('; ')}`);
  }
  return value.users;
}
