/** What is requested of every subject. */
export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly method: 'GET' | 'POST';
  /** Path behind `/api/v1/{service}`. */
  readonly path: string;
  /** Bytes of the request body. */
  readonly requestBytes: number;
  /** Bytes of the response body, checked on every response. */
  readonly responseBytes: number;
  /** Measured requests in one round. */
  readonly requests: number;
}

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'small',
    title: '1 KB GET',
    method: 'GET',
    path: '/small',
    requestBytes: 0,
    responseBytes: 1024,
    requests: 1_000,
  },
  {
    name: 'large',
    title: '100 KB GET',
    method: 'GET',
    path: '/large',
    requestBytes: 0,
    responseBytes: 100 * 1024,
    requests: 400,
  },
  {
    name: 'post',
    title: '10 KB POST',
    method: 'POST',
    path: '/echo',
    requestBytes: 10 * 1024,
    responseBytes: 1024,
    requests: 800,
  },
];

/** One workload at one number of client connections. */
export interface Scenario {
  readonly workload: Workload;
  readonly connections: number;
}

/**
 * The bytes of a complete request to a service.
 *
 * @param query with its `?`, or empty
 */
export function requestBytes(
  workload: Workload,
  service: string,
  headers: Readonly<Record<string, string>>,
  query = '',
): Buffer {
  const lines = [
    `${workload.method} /api/v1/${service}${workload.path}${query} HTTP/1.1`,
    'Host: gateway.test',
    'User-Agent: bench',
    'Accept: */*',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  if (workload.requestBytes > 0) {
    lines.push('Content-Type: application/octet-stream', `Content-Length: ${workload.requestBytes}`);
  }
  return Buffer.concat([
    Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'),
    Buffer.alloc(workload.requestBytes, 'x'),
  ]);
}
