import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/**
 * CPU time of a process that cannot be asked, its threads and its living children, user and system together, in microseconds;
 * to 10 ms where the kernel does not count more exactly. Linux only.
 *
 * @throws Error when the process is gone
 */
export function cpuMicroseconds(pid: number): number {
  let total = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const directory = `/proc/${pid}/task/${thread}`;
    total += threadMicroseconds(directory);
    const children = readFileSync(`${directory}/children`, 'utf8').split(' ').filter(Boolean);
    for (const child of children) total += cpuMicroseconds(Number(child));
  }
  return total;
}

function threadMicroseconds(directory: string): number {
  // Nanoseconds on the CPU: what utime + stime of `stat` are derived from, without their rounding to 10 ms.
  if (existsSync(`${directory}/schedstat`)) {
    return Number(readFileSync(`${directory}/schedstat`, 'utf8').split(' ')[0]) / 1000;
  }
  const stat = readFileSync(`${directory}/stat`, 'utf8');
  // The command name, in parentheses, may contain blanks; utime and stime are fields 14 and 15 (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND;
}

/** A core for each part, so that the load generator and the upstream never take time from the subject. */
export interface Cores {
  readonly load: number;
  readonly upstream: number;
  readonly subject: number;
}

/** @returns undefined where nothing can be pinned: one core only, or no `taskset` */
export function chooseCores(): Cores | undefined {
  if (spawnSync('taskset', ['--version']).error) return undefined;
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  const cores = allowed.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
  const [load, second] = cores;
  const subject = cores.at(-1);
  if (load === undefined || second === undefined || subject === undefined) return undefined;
  return { load, upstream: cores.length > 2 ? second : load, subject };
}

/** Moves this process, which is the load generator, to a core. */
export function pinSelf(core: number): void {
  spawnSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(core), String(process.pid)]);
}
