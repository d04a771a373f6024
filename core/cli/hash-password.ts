import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { hashPassword } from '../secrets/password-hash.js';

/** Where the password comes from and the hash goes to. */
export interface HashPasswordContext {
  /** Standard input: a terminal, or a pipe with the password on its first line. */
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** Writes the prompt; not to standard output, which has the hash alone. */
  readonly prompt: (text: string) => void;
  /** Writes a line to standard output. */
  readonly print: (line: string) => void;
}

/** Shorter ones are guessed (NIST SP 800-63B section 5.1.1.2). */
const SHORTEST_PASSWORD = 8;

/**
 * `gateway hash-password`: reads a password and prints its scrypt hash. The password is never an argument, which
 * other users of the machine could see and the shell would remember.
 *
 * @returns the exit code
 * @throws Error for a password that is too short
 */
export async function hashPasswordCommand({ input, prompt, print }: HashPasswordContext): Promise<number> {
  const password = await readPassword(input, prompt);
  if (password.length < SHORTEST_PASSWORD) {
    throw new Error(`A password needs at least ${SHORTEST_PASSWORD} characters`);
  }
  print(await hashPassword(password));
  return 0;
}

async function readPassword(
  input: HashPasswordContext['input'],
  prompt: (text: string) => void,
): Promise<string> {
  const terminal = input.isTTY === true;
  if (terminal) prompt('Password: ');
  // What readline would echo goes nowhere.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: silent, terminal });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
    if (terminal) prompt('\n');
  }
}
