import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SubjectProcess, type Surroundings } from '../subject-process.js';
import type { Subject } from '../subjects.js';
import { openWebSocket } from './client-socket.js';
import { ECHO, PATH, probed } from './subjects.js';

/** Bytes that a connection adds to a process. */
export interface IdleMemory {
  readonly rss: number;
  /** Heap and what it refers to outside. */
  readonly heap: number;
}

/** Handshakes under way at a time. */
const AT_A_TIME = 100;
/** Connections that are opened and closed before the first figure, for what is only made once. */
const WARMUP = 500;
const SETTLE_MS = 2_000;
/** Files of a process that are no connections. */
const OTHER_FILES = 150;

/** @returns how many connections a proxy can carry, which takes two files each, of those asked for */
export function affordable(connections: number): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1];
  return Math.min(connections, Math.floor((Number(hard ?? connections * 3) - OTHER_FILES) / 2));
}

/**
 * Holds idle connections through a subject, in processes of their own, and looks what they add to its memory.
 *
 * @throws Error when a connection is refused or the subject does not start
 */
export async function measureIdle(
  subject: Subject,
  connections: number,
  directory: string,
  cores: { readonly upstream: number; readonly subject: number } | undefined,
): Promise<IdleMemory> {
  const started: SubjectProcess[] = [];
  const start = async (which: Subject, surroundings: Surroundings) => {
    const process = await SubjectProcess.start(which, surroundings);
    started.push(process);
    return process;
  };
  const sockets: net.Socket[] = [];
  try {
    // A new one each time: closed connections keep their ports for a minute.
    const echo = await start(ECHO, {
      upstream: '',
      directory: path.join(directory, 'idle'),
      core: cores?.upstream,
    });
    const surroundings = { upstream: `http://127.0.0.1:${echo.port}`, directory, core: cores?.subject };
    const { port } = await start(probed(subject), surroundings);
    const probe = path.join(directory, subject.name, 'probe.sock');
    if (!existsSync(probe)) throw new Error(`${subject.name} has no memory probe`);

    await open(port, Math.min(WARMUP, connections), sockets);
    close(sockets);
    await delay(SETTLE_MS);
    const before = await memory(probe);
    await open(port, connections, sockets);
    await delay(SETTLE_MS);
    const after = await memory(probe);
    const closed = sockets.filter(({ destroyed }) => destroyed).length;
    if (closed > 0) throw new Error(`${closed} of ${connections} connections were closed`);
    return { rss: (after.rss - before.rss) / connections, heap: (after.heap - before.heap) / connections };
  } finally {
    close(sockets);
    await Promise.all(started.map((process) => process.stop()));
  }
}

async function open(port: number, connections: number, sockets: net.Socket[]): Promise<void> {
  const readBuffer = Buffer.allocUnsafe(4096);
  let next = 0;
  const work = async () => {
    while (next < connections) {
      const index = next;
      next += 1;
      const socket = await openWebSocket(port, PATH, index, () => undefined, readBuffer);
      sockets.push(socket.on('error', () => undefined));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
}

function close(sockets: net.Socket[]): void {
  for (const socket of sockets) socket.destroy();
  sockets.length = 0;
}

function memory(probe: string): Promise<IdleMemory> {
  return new Promise((resolve, reject) => {
    let text = '';
    net
      .connect(probe)
      .setEncoding('utf8')
      .on('data', (chunk) => {
        text += String(chunk);
      })
      .on('error', reject)
      .on('end', () => {
        const { rss, heap }: { rss?: unknown; heap?: unknown } = JSON.parse(text);
        if (typeof rss === 'number' && typeof heap === 'number') resolve({ rss, heap });
        else reject(new Error(`The probe said ${text}`));
      });
  });
}
