import { readFileSync } from 'node:fs';
import os from 'node:os';
import type { Cores } from './cpu.js';
import { installedVersion } from './natives.js';
import type { Workload } from './workloads.js';

/** What a reader needs to know to judge, or repeat, a run. */
export interface Facts {
  readonly command: string;
  readonly date: string;
  readonly rounds: string;
  readonly requests: string;
  readonly pinning: string;
  readonly machine: readonly (readonly [string, string])[];
  readonly versions: readonly (readonly [string, string])[];
}

export function facts(
  args: readonly string[],
  rounds: string,
  workloads: readonly Workload[],
  cores?: Cores,
): Facts {
  return {
    command: ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
    date: new Date().toISOString().slice(0, 10),
    rounds,
    requests: workloads.map(({ title, requests }) => `${title} ${requests.toLocaleString('en')}`).join(', '),
    pinning: cores
      ? `Pinned: load generator on core ${cores.load}, upstream on core ${cores.upstream}, subject on core ${cores.subject}.`
      : 'Nothing was pinned to a core.',
    machine: [
      ['CPU', os.cpus()[0]?.model ?? 'unknown'],
      ['cores', String(os.cpus().length)],
      ['memory', `${Math.round(os.totalmem() / 1024 ** 3)} GB`],
      ['kernel', `${os.type()} ${os.release()}`],
      ['Node.js', process.version],
    ],
    versions: [...packageVersions(), ...nativeVersions()],
  };
}

function packageVersions(): readonly (readonly [string, string])[] {
  const manifest = readJson(new URL('./package.json', import.meta.url));
  const dependencies =
    typeof manifest.dependencies === 'object' && manifest.dependencies ? manifest.dependencies : {};
  return Object.keys(dependencies).map((name) => {
    const { version } = readJson(new URL(`./node_modules/${name}/package.json`, import.meta.url));
    return [name, String(version)] as const;
  });
}

function nativeVersions(): readonly (readonly [string, string])[] {
  return ['nginx', 'haproxy'].map((name) => [name, installedVersion(name) ?? 'not installed'] as const);
}

function readJson(file: URL): Readonly<Record<string, unknown>> {
  const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
  return content !== null && typeof content === 'object' ? { ...content } : {};
}
