import { expect } from 'chai';
import { readYaml } from '../../../core/config/loaders.js';
import { type ParsedSettings, parseSettings } from '../../../core/config/parse.js';

const ALL = [
  'access-log',
  'auth-apikey',
  'auth-jwt',
  'circuit-breaker',
  'cors',
  'metrics',
  'rate-limit-token-bucket',
  'response-cache',
  'ws-proxy',
];

/** The complete example of the requirements, unchanged. */
const COMPLETE = `
api-gateway-service:
  # 基本配置
  port: 8080
  
  # 认证配置
  enable_auth: false
  jwt_secret: "your-secret-key-here"
  jwt_algorithm: "HS256"
  
  # 限流配置
  enable_rate_limiting: true
  rate_limit_requests: 100
  rate_limit_window: 60
  
  # 熔断器配置
  enable_circuit_breaker: true
  
  # 缓存配置
  cache_ttl: 300
  
  # 服务配置
  services:
    market-data-collector:
      host: "localhost"
      port: 8081
    data-storage-service:
      host: "localhost"
      port: 8082
`;

/** The production example of the requirements, unchanged. */
const PRODUCTION = `
api-gateway-service:
  # 启用所有安全特性
  enable_auth: true
  enable_rate_limiting: true
  enable_circuit_breaker: true
  
  # 更严格的限流
  rate_limit_requests: 50
  rate_limit_window: 60
  
  # 更短的缓存时间
  cache_ttl: 60
  
  # 强密钥
  jwt_secret: "\${JWT_SECRET}"
  
  # 日志级别
  log_level: "WARNING"
`;

function parse(
  yaml: string | undefined,
  env: Record<string, string> = {},
  catalogueNames = ALL,
): ParsedSettings {
  const raw = yaml === undefined ? undefined : readYaml('services.yaml', yaml);
  return parseSettings(raw, { source: 'services.yaml', baseDirectory: '.', env, catalogueNames });
}

function entries({ settings }: ParsedSettings): [string, unknown][] {
  return settings.plugins.map(({ use, options }) => [use, options]);
}

describe('the requirements’ own file', () => {
  it('is translated into settings and plugins in their order', () => {
    const parsed = parse(COMPLETE);
    expect(parsed.warnings).to.deep.equal([]);
    expect(parsed.settings.port).to.equal(8080);
    expect(Object.keys(parsed.settings.services)).to.deep.equal([
      'market-data-collector',
      'data-storage-service',
    ]);
    expect(parsed.settings.services['data-storage-service']?.targets[0]?.url).to.equal(
      'http://localhost:8082',
    );
    expect(entries(parsed)).to.deep.equal([
      ['access-log', {}],
      ['metrics', {}],
      ['rate-limit-token-bucket', { requests: 100, window: 60 }],
      ['response-cache', { ttl: 300 }],
      ['circuit-breaker', {}],
      ['ws-proxy', {}],
    ]);
  });

  it('switches both authentication plugins on, with the secret of the environment', () => {
    const parsed = parse(PRODUCTION, { JWT_SECRET: 's3cret' });
    expect(entries(parsed).slice(2, 4)).to.deep.equal([
      ['auth-jwt', { secret: 's3cret', algorithms: ['HS256'] }],
      ['auth-apikey', {}],
    ]);
    expect(parsed.settings.logging.level).to.equal('WARNING');
  });

  it('lets a variable win over the file', () => {
    const parsed = parse(COMPLETE, {
      PORT: '9090',
      ENABLE_AUTH: 'True',
      JWT_SECRET: 'other',
      JWT_ALGORITHM: 'HS512',
      ENABLE_RATE_LIMITING: 'false',
      ENABLE_CIRCUIT_BREAKER: '0',
      CACHE_TTL: '0',
      LOG_LEVEL: 'debug',
    });
    expect(parsed.settings.port).to.equal(9090);
    expect(parsed.settings.logging.level).to.equal('DEBUG');
    expect(entries(parsed)).to.deep.equal([
      ['access-log', {}],
      ['metrics', {}],
      ['auth-jwt', { secret: 'other', algorithms: ['HS512'] }],
      ['auth-apikey', {}],
      ['ws-proxy', {}],
    ]);
  });

  it('warns of each key whose plugin is not available', () => {
    expect(parse(COMPLETE, {}, []).warnings).to.deep.equal([
      'enable_rate_limiting: true has no effect: the plugin rate-limit-token-bucket is not available, requests are not limited',
      'cache_ttl: 300 has no effect: the plugin response-cache is not available, responses are not cached',
      'enable_circuit_breaker: true has no effect: the plugin circuit-breaker is not available, failing services are not cut off',
    ]);
    expect(
      parse(
        'api-gateway-service: { cache_ttl: 0, enable_rate_limiting: false, enable_circuit_breaker: false }',
        {},
        [],
      ).warnings,
    ).to.deep.equal([]);
  });

  it('warns of authentication without users', () => {
    const warning =
      'enable_auth: true has no users without users_file: tokens are accepted, but nobody can log in for one';
    const asked = { JWT_SECRET: 'a', ENABLE_AUTH: 'true' };
    expect(parse(COMPLETE, asked).warnings).to.deep.equal([warning]);
    expect(parse(COMPLETE, { ...asked, USERS_FILE: 'users.yaml' }).warnings).to.deep.equal([]);
  });

  it('refuses authentication that cannot be had', () => {
    expect(() => parse(PRODUCTION, { JWT_SECRET: 'a' }, ['cors'])).to.throw(
      'services.yaml: api-gateway-service.enable_auth: found true, expected false, because neither the plugin auth-jwt nor auth-apikey is available',
    );
    expect(() => parse(COMPLETE, { ENABLE_AUTH: 'true' }, [])).to.throw(
      'the environment: ENABLE_AUTH: found true, expected false',
    );
    expect(() => parse('api-gateway-service: { enable_auth: true }')).to.throw(
      'services.yaml: api-gateway-service.jwt_secret: found nothing, expected a secret, because enable_auth is true',
    );
    expect(parse(PRODUCTION, { JWT_SECRET: 'a' }, ['auth-jwt']).warnings).to.include(
      'enable_auth: true has no effect: the plugin auth-apikey is not available, API keys are not accepted',
    );
  });

  it('reports mistakes in its own terms, all in one go', () => {
    const yaml = `
api-gateway-service:
  port: x
  cach_ttl: 5
  services: { foo: { host: localhost, port: none }, gateway: { port: 1 } }
plugins: []
other-service: { port: 1 }`;
    expect(() => parse(yaml, { RATE_LIMIT_WINDOW: 'soon' }))
      .to.throw()
      .with.property('message')
      .that.satisfies((message: string) => {
        const lines = message.split('\n').sort();
        expect(lines).to.have.lengthOf(6);
        expect(lines[0]).to.match(
          /^services\.yaml: api-gateway-service\.cach_ttl: found an unknown key.*did you mean "cache_ttl"\?$/,
        );
        expect(lines[1]).to.match(
          /^services\.yaml: api-gateway-service\.port: found "x", expected an integer from 0/,
        );
        expect(lines[2]).to.match(/^services\.yaml: api-gateway-service\.services\.foo\.port: found "none"/);
        expect(lines[3]).to.match(
          /^services\.yaml: api-gateway-service\.services\.gateway: found the service name/,
        );
        expect(lines[4]).to.match(/^services\.yaml: plugins: found a setting of \.gatewayrc/);
        expect(lines[5]).to.match(/^the environment: RATE_LIMIT_WINDOW: found "soon"/);
        return true;
      });
  });

  it('tells mistakes of a plugin’s options by flat key or variable', () => {
    const { mistakes } = parse(COMPLETE, { RATE_LIMIT_REQUESTS: '5' });
    const faults = [
      { path: ['window'], found: 'a', expected: 'b' },
      { path: ['requests'], found: 'a', expected: 'b' },
    ];
    expect(mistakes(['plugins', 2, 'options'], faults).map(({ file, path }) => [file, path])).to.deep.equal([
      ['services.yaml', 'api-gateway-service.rate_limit_window'],
      ['the environment', 'RATE_LIMIT_REQUESTS'],
    ]);
  });
});

describe('no configuration at all', () => {
  it('has the defaults of the requirements', () => {
    const parsed = parse(undefined);
    expect(parsed.settings.port).to.equal(8080);
    expect(
      Object.entries(parsed.settings.services).map(([name, { targets }]) => [name, targets[0]?.url]),
    ).to.deep.equal([
      ['market-data-collector', 'http://localhost:8081'],
      ['data-storage-service', 'http://localhost:8082'],
      ['monitoring-service', 'http://localhost:8083'],
      ['scheduler-service', 'http://localhost:8084'],
      ['message-broker-service', 'http://localhost:8085'],
    ]);
    expect(entries(parsed)).to.deep.equal(entries(parse(COMPLETE)));
  });

  it('follows the Kubernetes environment of the requirements', () => {
    const parsed = parse(undefined, { ENABLE_AUTH: 'true', JWT_SECRET: 'from a secret' });
    expect(parsed.settings.plugins.map(({ id }) => id)).to.include.members(['auth-jwt', 'auth-apikey']);
    expect(() => parse(undefined, { ENABLE_AUTH: 'true' })).to.throw(
      'the environment: JWT_SECRET: found nothing',
    );
  });

  it('is something else than a normal configuration, which no such variable changes', () => {
    expect(parse('{}', { PORT: '1' }).settings).to.deep.include({ port: 8080, services: {}, plugins: [] });
  });
});
