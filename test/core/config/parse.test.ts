import { Ajv } from 'ajv';
import { expect } from 'chai';
import { Type } from 'typebox';
import { Interpolated } from '../../../core/config/interpolation.js';
import { readYaml } from '../../../core/config/loaders.js';
import { formatMistake } from '../../../core/config/mistakes.js';
import { type ParsedSettings, parseSettings } from '../../../core/config/parse.js';
import { optionsTable } from '../../../core/config/reference.js';
import { configurationSchema } from '../../../core/config/schema-file.js';
import { Duration } from '../../../core/config/units.js';
import { compileOptions } from '../../../core/config/validator.js';

const CATALOGUE = ['cors', 'auth-jwt', 'rate-limit-token-bucket', 'response-cache'];

/** The example of the issue that asked for this. */
const EXAMPLE = `
port: 8080
services:
  market-data-collector:
    targets: [http://localhost:8081, { url: http://localhost:8091, weight: 2 }]
    health: { path: /health, interval: 30s }
    timeout: { connect: 2s, response: 30s }
    plugins: { response-cache: { ttl: 5s }, auth-jwt: false }
  data-storage-service: http://localhost:8082
routes:
  - id: quotes
    match: { hosts: [quotes.example.com], path: /q/:symbol, methods: [GET], headers: { x-tier: gold } }
    service: market-data-collector
    rewrite: /api/v1/quotes/:symbol
plugins:
  - cors
  - auth-jwt: { secret: "\${JWT_SECRET}" }
  - rate-limit-token-bucket: { requests: 100, window: 60s }
`;

function parse(yaml: string, env: Record<string, string> = {}): ParsedSettings {
  const context = { source: '.gatewayrc', baseDirectory: '.', env, catalogueNames: CATALOGUE };
  return parseSettings(readYaml('.gatewayrc', yaml), context);
}

describe('parseSettings', () => {
  it('reads the example', () => {
    const { settings, warnings } = parse(EXAMPLE, { JWT_SECRET: 'from the environment' });
    const service = settings.services['market-data-collector'];
    expect(service?.targets).to.deep.equal([
      { url: 'http://localhost:8081', weight: 1, priority: 0 },
      { url: 'http://localhost:8091', weight: 2, priority: 0 },
    ]);
    expect(service?.timeout).to.deep.equal({ connect: 2000, response: 30_000, idle: 60_000, total: 0 });
    expect(settings.limits).to.include({ requestLine: 8192, bodyMinRate: 256, keepAlive: 65_000 });
    expect(settings.plugins.map(({ id, enabled }) => [id, enabled])).to.deep.equal([
      ['cors', true],
      ['auth-jwt', true],
      ['rate-limit-token-bucket', true],
    ]);
    expect(warnings).to.have.lengthOf(1);
    expect(warnings[0]).to.include('services.market-data-collector.plugins.response-cache has no effect');
  });

  it('freezes what it returns and leaves alone what it is given', () => {
    const raw = { services: { foo: 'http://a' }, plugins: [{ cors: { a: [1] } }] };
    const before = structuredClone(raw);
    const context = { source: 'code', baseDirectory: '.', env: {}, catalogueNames: CATALOGUE };
    const { settings } = parseSettings(raw, context);
    expect(raw).to.deep.equal(before);
    expect(settings.services.foo?.health).to.be.frozen;
    expect(settings.plugins[0]?.options).to.be.frozen;
  });

  it('takes services with host and port, and a health endpoint', () => {
    const { settings } = parse(
      `services:
      a: { host: localhost, port: 8081, health_endpoint: /up }
      b: { host: "::1", port: "\${PORT_OF_B}" }`,
      { PORT_OF_B: '9000' },
    );
    expect(settings.services.a?.targets[0]?.url).to.equal('http://localhost:8081');
    expect(settings.services.a?.health.path).to.equal('/up');
    expect(settings.services.b?.targets[0]?.url).to.equal('http://[::1]:9000');
  });

  it('takes the short forms of health checks', () => {
    const { settings } = parse(`services:
      a: { port: 1, health: false }
      b: { port: 1, health: { status: 204 } }
      c: { port: 1, health: { status: [200-399, 401, 5XX] } }`);
    expect(settings.services.a?.health.enabled).to.equal(false);
    expect(settings.services.b?.health.status).to.deep.equal(['204']);
    expect(settings.services.c?.health.status).to.deep.equal(['200-399', '401', '5xx']);
  });

  it('takes every form of a plugin entry', () => {
    const { settings } = parse(`plugins:
      - cors
      - auth-jwt: true
      - response-cache: false
      - rate-limit-token-bucket:
      - { use: cors, id: partner-cors, enabled: false, options: { a: 1 } }
      - ./plugins/hello.ts
      - ./plugins/greeting/index.ts: { word: hi }
      - "@acme/gateway-plugin"`);
    expect(settings.plugins).to.deep.equal([
      { use: 'cors', id: 'cors', enabled: true, options: {} },
      { use: 'auth-jwt', id: 'auth-jwt', enabled: true, options: {} },
      { use: 'response-cache', id: 'response-cache', enabled: false, options: {} },
      { use: 'rate-limit-token-bucket', id: 'rate-limit-token-bucket', enabled: true, options: {} },
      { use: 'cors', id: 'partner-cors', enabled: false, options: { a: 1 } },
      { use: './plugins/hello.ts', id: 'hello', enabled: true, options: {} },
      { use: './plugins/greeting/index.ts', id: 'greeting', enabled: true, options: { word: 'hi' } },
      { use: '@acme/gateway-plugin', id: 'gateway-plugin', enabled: true, options: {} },
    ]);
  });

  it('takes a key without value as not given', () => {
    expect(parse('services:\nplugins:\nlimits:\n  body:').settings).to.deep.equal(parse('{}').settings);
  });

  it('makes numbers and booleans of variables where they are wanted, and only there', () => {
    const { settings } = parse(
      `port: \${PORT}
host: \${HOST:-127.0.0.1}
limits: { body: "\${LIMIT}mb", keepAlive: "\${KEEP_ALIVE:-5}" }
logging: { pretty: "\${PRETTY}" }
dataDirectory: "$\${kept}"
via: "\${NUMBER}"`,
      { PORT: '9090', LIMIT: '10', PRETTY: 'false', NUMBER: '12', HOST: '' },
    );
    expect(settings).to.include({ port: 9090, host: '127.0.0.1', dataDirectory: '$' + '{kept}', via: '12' });
    expect(settings.limits).to.include({ body: 10 * 1024 ** 2, keepAlive: 5000 });
    expect(settings.logging.pretty).to.equal(false);
  });

  it('leaves values of a request, as plugins fill them in', () => {
    const { settings } = parse(`plugins: [{ cors: { value: "\${request.id}" } }]`);
    expect(settings.plugins[0]?.options).to.deep.equal({ value: '$' + '{request.id}' });
  });

  it('tells where the options of a plugin were written', () => {
    const { mistakes, settings } = parse(
      'plugins: [cors, { auth-jwt: { leeway: x } }]\nservices: { foo: { port: 1 } }',
    );
    const check = compileOptions(Type.Object({ leeway: Type.Number({ default: 0 }) }));
    const lines = mistakes(['plugins', 1, 'options'], check(settings.plugins[1]?.options).mistakes).map(
      formatMistake,
    );
    expect(lines).to.deep.equal(['.gatewayrc: plugins[1].auth-jwt.leeway: found "x", expected a number']);
  });
});

describe('compileOptions', () => {
  const schema = Type.Object({
    requests: Type.Integer({ minimum: 1, default: 100, description: 'How many.' }),
    window: Duration({ default: '60s', minimum: 1000, description: 'In which time.' }),
    secret: Type.Optional(Type.String({ minLength: 3, secret: true, description: 'Kept.' })),
    nested: Type.Object(
      { on: Type.Boolean({ default: true }) },
      { default: {}, additionalProperties: false },
    ),
    choice: Type.Optional(
      Type.Union([
        Type.String(),
        Type.Object({ kind: Type.Literal('a'), size: Type.Integer() }, { additionalProperties: false }),
      ]),
    ),
  });
  const check = compileOptions(schema);

  it('puts defaults in, also nested ones, and freezes', () => {
    const { value, mistakes } = check(undefined);
    expect(mistakes).to.deep.equal([]);
    expect(value).to.deep.equal({ requests: 100, window: 60_000, nested: { on: true } });
    expect(value).to.be.frozen;
    expect(value.nested).to.be.frozen;
  });

  it('does not change its input', () => {
    const input = Object.freeze({ window: '2s', nested: Object.freeze({}) });
    expect(check(input).value).to.deep.include({ window: 2000, nested: { on: true } });
    expect(input).to.deep.equal({ window: '2s', nested: {} });
  });

  it('refuses unknown keys though the schema says nothing of them', () => {
    expect(check({ reqests: 5 }).mistakes).to.deep.equal([
      {
        path: ['reqests'],
        found: 'an unknown key',
        expected: 'one of requests, window, secret, nested, choice',
        hint: 'did you mean "requests"?',
      },
    ]);
  });

  it('converts text out of variables, and no other text', () => {
    const { value, mistakes } = check({
      requests: new Interpolated('5', ['N']),
      nested: { on: new Interpolated('off', ['ON']) },
    });
    expect(mistakes).to.deep.equal([]);
    expect(value).to.deep.include({ requests: 5, nested: { on: false } });
    expect(check({ requests: '5' }).mistakes.map(({ found }) => found)).to.deep.equal(['"5"']);
  });

  it('says what is wrong in the variant that a `const` names', () => {
    const variant = (kind: string) => Type.Object({ kind: Type.Literal(kind), size: Type.Integer() });
    const variants = compileOptions(Type.Object({ one: Type.Union([variant('a'), variant('b')]) }));
    const { mistakes } = variants({ one: { kind: 'b', size: 'big' } });
    expect(mistakes).to.deep.equal([{ path: ['one', 'size'], found: '"big"', expected: 'an integer' }]);
  });

  it('checks regular expressions and URLs', () => {
    const formats = compileOptions(
      Type.Object({
        url: Type.Optional(Type.String({ format: 'uri' })),
        pattern: Type.Optional(Type.String({ format: 'regex' })),
      }),
    );
    expect(formats({ url: 'https://a/keys', pattern: '^a+$' }).mistakes).to.deep.equal([]);
    expect(formats({ url: 'a', pattern: '(' }).mistakes.map(({ expected }) => expected)).to.deep.equal([
      "a URL like 'https://host/path'",
      'a regular expression',
    ]);
  });

  it('shows no secret, and keeps to the branch that was meant', () => {
    const { mistakes } = check({ secret: 'ab', choice: { kind: 'a', size: 'big' }, window: '10ms' });
    expect(mistakes.map(({ path, found }) => [path.join('.'), found])).to.have.deep.members([
      ['secret', 'a string that is not shown'],
      ['choice.size', '"big"'],
      ['window', '"10ms"'],
    ]);
  });
});

describe('optionsTable', () => {
  it('has a row for each option, and escapes what would end a cell', () => {
    const schema = Type.Object({
      window: Duration({ default: '60s', description: 'In which time.' }),
      pattern: Type.Optional(Type.String({ description: 'Either a|b.' })),
      keys: Type.Array(Type.Object({ id: Type.String({ description: 'Name.' }) }), {
        default: [],
        description: 'Keys.',
      }),
    });
    expect(optionsTable(schema).split('\n')).to.deep.equal([
      '| Option | Type | Default | Description |',
      '|---|---|---|---|',
      '| `window` | duration | `60s` | In which time. |',
      '| `pattern` | string |  | Either a\\|b. |',
      '| `keys` | list of object | `[]` | Keys. |',
      '| `keys[].id` | string | required | Name. |',
      '',
    ]);
    expect(optionsTable(Type.Object({}))).to.equal('This plugin has no options.\n');
  });
});

describe('the schema for editors', () => {
  const options = Type.Object({
    requests: Type.Integer({ description: 'How many.' }),
    window: Duration({ description: 'Time.' }),
  });
  const plugins = CATALOGUE.map((name) => ({
    name,
    summary: `The plugin ${name}.`,
    options: Type.Object({}, { additionalProperties: true }),
  }));
  const limiter = { name: 'rate-limit-token-bucket', summary: 'Limits.', options };
  const schema = configurationSchema([...plugins.filter(({ name }) => name !== limiter.name), limiter]);
  const validate = new Ajv({ strict: false }).compile(schema);

  it('accepts the example and the short forms', () => {
    const forms = `
services:
  a: { host: localhost, port: "\${PORT}", health_endpoint: /up }
  b: { targets: [http://b], health: false }
  c: { targets: [http://c], health: { status: 204, interval: 5 } }
plugins: [cors, ./mine.ts, { cors: false }, { use: rate-limit-token-bucket, options: { requests: "\${N}" } }]
port: \${PORT}
logging: { level: "\${LEVEL:-INFO}" }`;
    for (const yaml of [EXAMPLE, forms]) {
      expect(validate(readYaml('', yaml)), JSON.stringify(validate.errors, null, 1)).to.equal(true);
    }
  });

  it('refuses unknown keys, wrong types and wrong options of a plugin', () => {
    for (const yaml of [
      'prot: 1',
      'port: eighty',
      'plugins: [{ rate-limit-token-bucket: { reqests: 1 } }]',
      'services: { a: {} }',
    ]) {
      expect(validate(readYaml('', yaml)), yaml).to.equal(false);
    }
  });
});
