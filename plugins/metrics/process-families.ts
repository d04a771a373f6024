import { readdirSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { EventLoopDelay } from './event-loop-delay.js';
import type { Exposition, Family } from './exposition.js';
import { labelText } from './labels.js';

interface Snapshot {
  readonly cpu: NodeJS.CpuUsage;
  readonly memory: NodeJS.MemoryUsage;
  readonly loop: { readonly active: number; readonly idle: number };
  readonly openFiles: number | undefined;
  readonly mostFiles: number | undefined;
}

/** The names that Prometheus' client libraries use for processes, and prom-client's for Node.js. */
const PROCESS: readonly (Family & { readonly of: (now: Snapshot) => number | undefined })[] = [
  {
    name: 'process_cpu_user_seconds_total',
    help: 'Seconds of CPU time spent in user mode.',
    type: 'counter',
    of: ({ cpu }) => cpu.user / 1e6,
  },
  {
    name: 'process_cpu_system_seconds_total',
    help: 'Seconds of CPU time spent in the kernel.',
    type: 'counter',
    of: ({ cpu }) => cpu.system / 1e6,
  },
  {
    name: 'process_cpu_seconds_total',
    help: 'Seconds of CPU time.',
    type: 'counter',
    of: ({ cpu }) => (cpu.user + cpu.system) / 1e6,
  },
  {
    name: 'process_start_time_seconds',
    help: 'When the process started, in seconds since the epoch.',
    type: 'gauge',
    of: () => performance.timeOrigin / 1000,
  },
  {
    name: 'process_resident_memory_bytes',
    help: 'Memory that the process occupies.',
    type: 'gauge',
    of: ({ memory }) => memory.rss,
  },
  {
    name: 'process_open_fds',
    help: 'Open file descriptors; on Linux only.',
    type: 'gauge',
    of: ({ openFiles }) => openFiles,
  },
  {
    name: 'process_max_fds',
    help: 'The most file descriptors that may be open; on Linux only.',
    type: 'gauge',
    of: ({ mostFiles }) => mostFiles,
  },
  {
    name: 'nodejs_heap_size_total_bytes',
    help: 'Size of the JavaScript heap.',
    type: 'gauge',
    of: ({ memory }) => memory.heapTotal,
  },
  {
    name: 'nodejs_heap_size_used_bytes',
    help: 'How much of the JavaScript heap is used.',
    type: 'gauge',
    of: ({ memory }) => memory.heapUsed,
  },
  {
    name: 'nodejs_external_memory_bytes',
    help: 'Memory outside the JavaScript heap that objects in it hold, such as Buffers.',
    type: 'gauge',
    of: ({ memory }) => memory.external,
  },
  {
    name: 'nodejs_eventloop_active_seconds_total',
    help: 'Seconds that the event loop was busy; its rate is the utilization of the event loop.',
    type: 'counter',
    of: ({ loop }) => loop.active / 1000,
  },
];

const DELAY: Family = {
  name: 'nodejs_eventloop_delay_seconds',
  help: 'Seconds that timers fire late, because the event loop is busy.',
  type: 'histogram',
};
const VERSION: Family = { name: 'nodejs_version_info', help: 'Version of Node.js.', type: 'gauge' };

/** Writes the state of the process. */
export function writeProcess(delay: EventLoopDelay, out: Exposition): void {
  const now: Snapshot = {
    cpu: process.cpuUsage(),
    memory: process.memoryUsage(),
    loop: performance.eventLoopUtilization(),
    openFiles: openFiles(),
    mostFiles: mostFiles(),
  };
  for (const family of PROCESS) {
    const value = family.of(now);
    out.begin(family);
    if (value !== undefined) out.sample('', value);
  }
  out.begin(DELAY);
  out.histogram(delay.buckets);
  out.begin(VERSION);
  out.sample(labelText({ version: process.version }), 1);
}

function openFiles(): number | undefined {
  try {
    // One of them is the folder that is being read.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

function mostFiles(): number | undefined {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
