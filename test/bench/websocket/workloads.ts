import type { Workload } from '../workloads.js';

/** Messages that go to the echo server and back. */
export interface MessageWorkload {
  readonly name: string;
  readonly title: string;
  readonly opcode: number;
  /** Of a message, up to 65,535. */
  readonly bytes: number;
  /** Round trips in one round; each is a message either way. */
  readonly roundTrips: number;
}

export const MESSAGES: readonly MessageWorkload[] = [
  { name: 'text', title: '100-byte text', opcode: 1, bytes: 100, roundTrips: 4_000 },
  { name: 'binary', title: '10 KB binary', opcode: 2, bytes: 10 * 1024, roundTrips: 1_500 },
];

/** The same for the tables of the benchmark, which speak of requests. */
export function asWorkload({ name, title, bytes, roundTrips }: MessageWorkload): Workload {
  return {
    name,
    title,
    method: 'GET',
    path: '',
    requestBytes: bytes,
    responseBytes: bytes,
    requests: 2 * roundTrips,
  };
}
