import { LoadGenerator } from './load.js';
import type { SubjectProcess } from './subject-process.js';
import type { Subject } from './subjects.js';
import { requestBytes, type Scenario } from './workloads.js';

/** Requests before a scenario's first round, for the compiler to settle; the later warm-ups are for connections. */
const FIRST_WARMUP = 10_000;

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
    return { process, series, requests: requestsOf(subject, scenario), sent: 0 };
  });
  for (let round = 0; round < rounds; round += 1) {
    const first = round % all.length;
    for (const turn of [...all.slice(first), ...all.slice(0, first)]) {
      const { series } = turn;
      if (series.failure !== undefined) continue;
      progress(`round ${round + 1} of ${rounds}: ${series.subject.title}`);
      try {
        series.samples.push(await measureOnce(turn, round === 0));
      } catch (error) {
        series.failure = error instanceof Error ? error.message : String(error);
        series.samples.length = 0;
      }
    }
  }
  return all.map(({ series }) => series);
}

/** The requests of a subject, which every round goes round over. */
function requestsOf({ services, headers, urls }: Subject, { workload }: Scenario): readonly Buffer[] {
  if (urls === undefined) return services.map((service) => requestBytes(workload, service, headers));
  const [service = ''] = services;
  return Array.from({ length: urls }, (_, index) => requestBytes(workload, service, headers, `?n=${index}`));
}

/** What a subject needs for its next round. */
interface Turn {
  readonly process: SubjectProcess;
  readonly series: Series;
  readonly requests: readonly Buffer[];
  /** Requests sent so far: the next round goes on behind them. */
  sent: number;
}

async function measureOnce(turn: Turn, first: boolean): Promise<Sample> {
  const { process, series, requests } = turn;
  const { subject, scenario } = series;
  const { workload, connections } = scenario;
  const load = await LoadGenerator.connect({
    port: process.port,
    connections,
    requests,
    first: turn.sent,
    responseBytes: subject.responseBytes ?? workload.responseBytes,
  });
  try {
    const warmup = Math.max(2 * connections, Math.ceil(workload.requests / 4));
    await load.run(first ? Math.max(warmup, FIRST_WARMUP) : warmup);
    const before = await process.cpu();
    const seconds = await load.run(workload.requests);
    return {
      cpu: ((await process.cpu()) - before) / workload.requests,
      requestsPerSecond: workload.requests / seconds,
    };
  } finally {
    turn.sent = load.sent;
    load.close();
  }
}
