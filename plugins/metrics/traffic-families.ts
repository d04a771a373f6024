import { DECISION_METRICS } from './decisions.js';
import type { Exposition, Family } from './exposition.js';
import type { ServiceTraffic } from './traffic.js';
import type { TrafficMeter } from './traffic-meter.js';

const REQUESTS: Family = {
  name: 'gateway_requests_total',
  help: 'Requests for services, and those that matched no route, which have no service.',
  type: 'counter',
};

const DURATION: Family = {
  name: 'gateway_requests_duration',
  help: 'Seconds from the head of a request to the end of its response.',
  type: 'histogram',
};

const CACHE_HITS: Family = {
  name: 'gateway_cache_hits_total',
  help: 'Requests that were answered from the response cache.',
  type: 'counter',
};

const UPSTREAM_DURATION: Family = {
  name: 'gateway_upstream_duration_seconds',
  help: 'Seconds from the hand-over of a request to the connection pool to the head of the response.',
  type: 'histogram',
};

/** What is counted per service, without further labels. */
const PER_SERVICE: readonly (Family & { readonly of: (service: ServiceTraffic) => number })[] = [
  {
    name: 'gateway_received_bytes_total',
    help: 'Bytes that clients sent with their requests, heads included; on HTTP/2 bodies only.',
    type: 'counter',
    of: ({ receivedBytes }) => receivedBytes,
  },
  {
    name: 'gateway_sent_bytes_total',
    help: 'Bytes that clients were sent in responses, heads included; on HTTP/2 bodies only.',
    type: 'counter',
    of: ({ sentBytes }) => sentBytes,
  },
  {
    name: 'gateway_upstream_attempts_total',
    help: 'How often a target was asked.',
    type: 'counter',
    of: ({ attempts }) => attempts,
  },
  {
    name: 'gateway_retries_total',
    help: 'Attempts beyond the first of a request.',
    type: 'counter',
    of: ({ retries }) => retries,
  },
];

/** What comes out of the cache: fresh, stale while it is renewed, or found to be current still. */
const HITS: ReadonlySet<string> = new Set(['HIT', 'STALE', 'REVALIDATED']);
const CACHE = DECISION_METRICS.findIndex(({ decision }) => decision === 'cache');

/** Writes what was counted of requests. */
export function writeTraffic(meter: TrafficMeter, out: Exposition): void {
  out.begin(REQUESTS);
  for (const route of meter.routes()) {
    for (const { labels, count } of route.counts) out.sample(labels, count);
  }
  out.begin(DURATION);
  for (const route of meter.routes()) {
    for (const buckets of route.durations) out.histogram(buckets);
  }
  const services = [...meter.services].filter(([name]) => name !== '').map(([, service]) => service);
  out.begin(UPSTREAM_DURATION);
  for (const { upstream } of services) out.histogram(upstream);
  for (const family of PER_SERVICE) {
    out.begin(family);
    for (const service of meter.services.values()) out.sample(service.labels, family.of(service));
  }
  out.begin(CACHE_HITS);
  for (const service of services) out.sample(service.labels, hitsOf(service));
  for (const [index, family] of DECISION_METRICS.entries()) {
    out.begin(family);
    for (const { decisions } of services) {
      for (const { labels, count } of decisions.of(index)) out.sample(labels, count);
    }
  }
}

function hitsOf({ decisions }: ServiceTraffic): number {
  let hits = 0;
  for (const { value, count } of decisions.of(CACHE)) if (HITS.has(value)) hits += count;
  return hits;
}
