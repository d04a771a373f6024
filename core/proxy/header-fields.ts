/** What becomes of a header field on its way through. */
export enum FieldFate {
  /** Forwarded byte for byte. */
  Copy = 0,
  /** Meant for this hop only, or set anew by the gateway. */
  Drop = 1,
  /** `Connection`: dropped, and names further fields to drop. */
  Connection = 2,
  /** `Host`: replaced by the target's. */
  Host = 3,
  /** `Content-Length`: framing, decided by what body there is. */
  ContentLength = 4,
  /** A forwarding field: believed from trusted proxies, else replaced. */
  Forwarding = 5,
}

/** RFC 9110 section 7.6.1, and the two fields of proxy authentication (section 11.7). */
const HOP_BY_HOP = [
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'proxy-authenticate',
  'proxy-authorization',
];

/** Fields of the gateway's own; nobody else's reach either side. */
const OWN = ['x-gateway-service', 'x-gateway-timestamp', 'x-request-id'];

/** Who calls, as an authentication plugin tells the upstream: a client's own word for it never gets through. */
const IDENTITY = ['x-credential-id', 'x-authenticated-by'];
const IDENTITY_PREFIX = 'x-consumer-';

const REQUEST: readonly (readonly [string, FieldFate])[] = [
  ...HOP_BY_HOP.map((name) => [name, FieldFate.Drop] as const),
  ...OWN.map((name) => [name, FieldFate.Drop] as const),
  ...IDENTITY.map((name) => [name, FieldFate.Drop] as const),
  ['connection', FieldFate.Connection],
  ['host', FieldFate.Host],
  ['content-length', FieldFate.ContentLength],
  // The gateway answers expectations itself (RFC 9110 section 10.1.1), and trailers of requests are not forwarded.
  ['expect', FieldFate.Drop],
  ['trailer', FieldFate.Drop],
  ['http2-settings', FieldFate.Drop],
  ['forwarded', FieldFate.Forwarding],
  ['x-forwarded-for', FieldFate.Forwarding],
  ['x-forwarded-host', FieldFate.Forwarding],
  ['x-forwarded-port', FieldFate.Forwarding],
  ['x-forwarded-proto', FieldFate.Forwarding],
  // Nobody's standard, and believed by many: the client's own must not get through.
  ['x-real-ip', FieldFate.Drop],
  ['via', FieldFate.Forwarding],
];

const RESPONSE: readonly (readonly [string, FieldFate])[] = [
  ...HOP_BY_HOP.map((name) => [name, FieldFate.Drop] as const),
  ...OWN.map((name) => [name, FieldFate.Drop] as const),
  ['connection', FieldFate.Connection],
];

/** Spellings that a classifier remembers; beyond that a name is lowered each time. */
const MOST_SPELLINGS = 1024;

/**
 * Tells what becomes of a field by its name as it was spelt. Spellings are remembered, so that the usual field
 * costs one look-up and no lower-casing.
 */
export class FieldClassifier {
  readonly #fates: ReadonlyMap<string, FieldFate>;
  readonly #droppedPrefix: string | undefined;
  readonly #spellings = new Map<string, FieldFate>();

  /** @param droppedPrefix names that start so are dropped; in lower case */
  constructor(fates: Iterable<readonly [string, FieldFate]>, droppedPrefix?: string) {
    this.#fates = new Map(fates);
    this.#droppedPrefix = droppedPrefix;
  }

  of(name: string): FieldFate {
    const known = this.#spellings.get(name);
    if (known !== undefined) return known;
    const fate = this.#classify(name.toLowerCase());
    if (this.#spellings.size < MOST_SPELLINGS) this.#spellings.set(name, fate);
    return fate;
  }

  #classify(name: string): FieldFate {
    const fate = this.#fates.get(name);
    if (fate !== undefined) return fate;
    // Behind CGI and WSGI, `_` and `-` are the same: what is dropped must be dropped in both spellings.
    const plain = name.replaceAll('_', '-');
    if (plain !== name && this.#fates.has(plain)) return FieldFate.Drop;
    return this.#droppedPrefix !== undefined && plain.startsWith(this.#droppedPrefix)
      ? FieldFate.Drop
      : FieldFate.Copy;
  }
}

/** The fates of the fields of requests on their way to the upstream. */
export function requestFields(): FieldClassifier {
  return new FieldClassifier(REQUEST, IDENTITY_PREFIX);
}

/** The fates of the fields of responses on their way to the client. */
export function responseFields(): FieldClassifier {
  return new FieldClassifier(RESPONSE);
}

/**
 * The lower-case names that a `Connection` field lists beside `close` and `keep-alive`, or undefined when it lists
 * none. Fields without which the message would mean something else are never among them: a sender that lists
 * those is wrong or hostile.
 */
export function connectionOptions(value: string): Set<string> | undefined {
  if (value === 'keep-alive' || value === 'close' || value === 'Keep-Alive') return undefined;
  let names: Set<string> | undefined;
  for (const token of value.toLowerCase().split(',')) {
    const name = token.trim();
    if (name === '' || name === 'close' || name === 'keep-alive' || ESSENTIAL.has(name)) continue;
    names ??= new Set();
    names.add(name);
  }
  return names;
}

const ESSENTIAL = new Set([
  'authorization',
  'cache-control',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'host',
  'set-cookie',
]);
