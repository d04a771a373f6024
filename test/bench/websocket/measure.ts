import type { Sample, Series } from '../measure.js';
import type { SubjectProcess } from '../subject-process.js';
import { MessageLoad } from './load.js';
import { PATH } from './subjects.js';
import type { MessageWorkload } from './workloads.js';

/** Round trips before a subject's first round, for the compiler to settle. */
const FIRST_WARMUP = 10_000;

/**
 * Adds samples to all series in interleaved rounds (A B C, B C A, ...), as the benchmark of requests does. A subject that
 * fails is left out of the further rounds.
 *
 * @param running by name of the subject
 */
export async function measureMessages(
  running: ReadonlyMap<string, SubjectProcess>,
  all: readonly Series[],
  workload: MessageWorkload,
  rounds: number,
  progress: (text: string) => void,
): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const first = round % all.length;
    for (const series of [...all.slice(first), ...all.slice(0, first)]) {
      const process = running.get(series.subject.name);
      if (process === undefined || series.failure !== undefined) continue;
      progress(`${workload.title}, round ${round + 1} of ${rounds}: ${series.subject.title}`);
      try {
        series.samples.push(await measureOnce(process, workload, series.scenario.connections, round === 0));
      } catch (error) {
        series.failure = error instanceof Error ? error.message : String(error);
        series.samples.length = 0;
      }
    }
  }
}

async function measureOnce(
  process: SubjectProcess,
  workload: MessageWorkload,
  connections: number,
  first: boolean,
): Promise<Sample> {
  const { roundTrips } = workload;
  const load = await MessageLoad.connect(workload, process.port, PATH, connections);
  try {
    const warmup = Math.max(2 * connections, Math.ceil(roundTrips / 4));
    await load.run(first ? Math.max(warmup, Math.min(FIRST_WARMUP, 5 * roundTrips)) : warmup);
    const before = await process.cpu();
    const seconds = await load.run(roundTrips);
    const messages = 2 * roundTrips;
    return { cpu: ((await process.cpu()) - before) / messages, requestsPerSecond: messages / seconds };
  } finally {
    load.close();
  }
}
