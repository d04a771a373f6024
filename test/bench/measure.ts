import { LoadGenerator } from './load.js';
import type { SubjectProcess } from './subject-process.js';
import type { Subject } from './subjects.js';
import { requestBytes, type Scenario } from './workloads.js';

/** Requests before a scenario's first round, for the compiler to settle; the later warm-ups are for connections. */
const FIRST_WARMUP = 20_000;

/** What one subject did in one round. */
export interface Sample {
  /** CPU of the subject's processes per request, in microseconds, user and system. */
  readonly cpu: number;
  readonly requestsPerSecond: number;
}

/** The samples of one subject in one scenario, one per round in order. */
export interface Series {
  readonly subject: Subject;
  readonly scenario: Scenario;
  readonly samples: Sample[];
  /** Why there are no samples. */
  failure?: string;
}

export interface Running {
  readonly subject: Subject;
  readonly process: SubjectProcess;
}

/**
 * Measures all subjects in one scenario, in interleaved rounds (A B C, B C A, ...), so that a change in the machine's
 * speed meets all of them alike; many short rounds serve that better than a few long ones. Each round begins with another
 * subject, so that none always has the same one before it. A subject that fails is left out of the further rounds.
 */
export async function measureScenario(
  running: readonly Running[],
  scenario: Scenario,
  rounds: number,
  progress: (text: string) => void,
): Promise<Series[]> {
  const all = running.map(({ subject, process }) => {
    const series: Series = { subject, scenario, samples: [] };
    return { process, series };
  });
  for (let round = 0; round < rounds; round += 1) {
    const first = round % all.length;
    for (const { process, series } of [...all.slice(first), ...all.slice(0, first)]) {
      if (series.failure !== undefined) continue;
      progress(`round ${round + 1} of ${rounds}: ${series.subject.title}`);
      try {
        series.samples.push(await measureOnce(process, series, round === 0));
      } catch (error) {
        series.failure = error instanceof Error ? error.message : String(error);
        series.samples.length = 0;
      }
    }
  }
  return all.map(({ series }) => series);
}

async function measureOnce(process: SubjectProcess, series: Series, first: boolean): Promise<Sample> {
  const { subject, scenario } = series;
  const { workload, connections } = scenario;
  const load = await LoadGenerator.connect({
    port: process.port,
    connections,
    requests: subject.services.map((service) => requestBytes(workload, service, subject.headers)),
    responseBytes: workload.responseBytes,
  });
  try {
    const warmup = Math.max(2 * connections, Math.ceil(workload.requests / 4));
    await load.run(first ? Math.max(warmup, FIRST_WARMUP) : warmup);
    const before = process.cpu();
    const seconds = await load.run(workload.requests);
    return {
      cpu: (process.cpu() - before) / workload.requests,
      requestsPerSecond: workload.requests / seconds,
    };
  } finally {
    load.close();
  }
}
