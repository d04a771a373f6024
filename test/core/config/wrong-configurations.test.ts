import { expect } from 'chai';
import { readYaml } from '../../../core/config/loaders.js';
import { ConfigurationError } from '../../../core/config/mistakes.js';
import { parseSettings } from '../../../core/config/parse.js';

const SERVICE = 'services: { foo: "http://localhost:8081" }';
const route = (rest: string) => `${SERVICE}\nroutes: [{ id: r, service: foo, ${rest} }]`;

/** Each wrong configuration with the line that its message is to have. */
const TABLE: readonly (readonly [name: string, yaml: string, line: string])[] = [
  ['a list', '[a]', 'found a list, expected an object with the keys host, port'],
  ['a number as text', 'port: eighty', 'port: found "eighty", expected an integer from 0 to 65535'],
  [
    'text that looks like a number',
    'port: "8080"',
    'port: found "8080", expected an integer from 0 to 65535',
  ],
  ['a number out of range', 'port: 70000', 'port: found 70000, expected an integer from 0 to 65535'],
  ['an unknown key', 'prot: 1', 'prot: found an unknown key, expected one of host, port,'],
  ...['https://a.example', 'a.example:80', 'a.*.example', '*', 'a b', 'a.example.'].map(
    (host) =>
      [
        `a host that no request names: ${host}`,
        route(`match: { path: /x, hosts: ["${host}"] }`),
        `routes[0].match.hosts[0]: found "${host}", expected a host name like 'api.example.com' or '*.example.com', without scheme and port`,
      ] as const,
  ),
  ['a misspelt key', 'prot: 1', 'did you mean "port"?'],
  ['the misspelt key of the flat form', 'api-gateway-servce: {}', 'did you mean "api-gateway-service"?'],
  [
    'a misspelt key further down',
    'limits: { bdoy: 1mb }',
    'limits.bdoy: found an unknown key, expected one of requestLine,',
  ],
  [
    'an unknown size unit',
    'limits: { body: 10xb }',
    'limits.body: found "10xb", expected a size: bytes as a number, or text like',
  ],
  [
    'an unknown duration unit',
    'shutdown: { drainTimeout: 3 weeks }',
    'shutdown.drainTimeout: found "3 weeks", expected a duration: seconds',
  ],
  ['a negative duration', 'limits: { keepAlive: -1 }', 'limits.keepAlive: found -1, expected a duration'],
  [
    'a duration longer than a timer',
    'limits: { keepAlive: 30d }',
    "limits.keepAlive: found \"30d\", expected a duration: seconds as a number, or text like '250ms', '30s', '5m', '1h', '1d'; at most 2147483647ms",
  ],
  [
    'an unknown level',
    'logging: { level: DEBUGG }',
    'logging.level: found "DEBUGG", expected one of "TRACE", "DEBUG",',
  ],
  ['a misspelt level', 'logging: { level: WARNNG }', 'did you mean "WARNING"?'],
  [
    'a wrong weight',
    'services: { foo: { targets: ["http://a", { url: "http://b", weight: two }] } }',
    'services.foo.targets[1].weight: found "two", expected an integer from 0 to 1000',
  ],
  [
    'weights of 0',
    'services: { foo: { targets: [{ url: "http://b", weight: 0 }] } }',
    'services.foo.targets: found a weight of 0 for every target, expected at least one target',
  ],
  [
    'no targets',
    'services: { foo: { targets: [] } }',
    'services.foo.targets: found an empty list, expected a list of objects with at least one entry',
  ],
  [
    'a service without targets',
    'services: { foo: {} }',
    'services.foo.targets: found nothing, expected a list of objects',
  ],
  [
    'a service as a URL with a path',
    'services: { foo: "http://a/b" }',
    'services.foo: found "http://a/b", expected an origin like',
  ],
  [
    'a service that is no URL',
    'services: { foo: localhost }',
    'services.foo: found "localhost", expected an origin like',
  ],
  [
    'a target with credentials',
    'services: { foo: { targets: ["http://u:hunter2@a"] } }',
    'services.foo.targets[0]: found "http://***@a", expected an origin like',
  ],
  [
    'a wrong port of a service',
    'services: { foo: { host: a, port: x } }',
    'services.foo.port: found "x", expected an integer from 1 to 65535',
  ],
  [
    'a host without port',
    'services: { foo: { host: a } }',
    'services.foo.port: found nothing, expected an integer from 1 to 65535',
  ],
  [
    'a host that is none',
    'services: { foo: { host: "a/b", port: 1 } }',
    'services.foo.host: found "a/b", expected a host name or an IP address',
  ],
  [
    'a health endpoint without slash',
    'services: { foo: { port: 1, health_endpoint: up } }',
    'services.foo.health_endpoint: found "up", expected text that starts with \'/\'',
  ],
  [
    'a wrong health status',
    'services: { foo: { port: 1, health: { status: 999 } } }',
    'services.foo.health.status[0]: found "999", expected text that matches',
  ],
  [
    'a health check without pause',
    'services: { foo: { port: 1, health: { interval: 0 } } }',
    'services.foo.health.interval: found 0, expected a duration',
  ],
  [
    'a reserved service name',
    'services: { gateway: "http://a" }',
    'services.gateway: found the service name "gateway", expected another name: /api/v1/gateway belongs to the gateway',
  ],
  [
    'a service name with capitals',
    'services: { Foo: "http://a" }',
    'services.Foo: found the service name "Foo", expected a name of 1 to 64 lower-case letters',
  ],
  [
    'a service name with a slash',
    'services: { "a/b": "http://a" }',
    'services["a/b"]: found the service name "a/b"',
  ],
  ['a service that is a number', 'services: { foo: 5 }', 'services.foo: found 5, expected a URL like'],
  [
    'a file whose name is no id',
    'plugins: [./Foo_Bar.ts]',
    'plugins[0]: found "Foo_Bar" as the id, expected { use: ./Foo_Bar.ts, id: … }',
  ],
  ['an object in itself', 'services: &a { foo: *a }', 'services.foo: found an object that contains itself'],
  [
    'a prototype as a service',
    'services: { __proto__: "http://a" }',
    'services.__proto__: found the service name "__proto__"',
  ],
  [
    'a hash without key',
    'services: { foo: { port: 1, loadBalancing: { algorithm: consistent-hash, hashOn: cookie } } }',
    'services.foo.loadBalancing.hashKey: found nothing, expected the name of the cookie to hash',
  ],
  [
    'a certificate without key',
    'services: { foo: { port: 1, tls: { cert: a.pem } } }',
    'services.foo.tls.key: found nothing, expected a file, because cert is given',
  ],
  [
    'a route without id',
    `${SERVICE}\nroutes: [{ service: foo, match: { path: / } }]`,
    'routes[0].id: found nothing, expected text that matches',
  ],
  [
    'a route without match',
    `${SERVICE}\nroutes: [{ id: r, service: foo }]`,
    'routes[0].match: found nothing, expected an object with the keys path, hosts, methods, headers',
  ],
  [
    'a route to an unknown service',
    `${SERVICE}\nroutes: [{ id: r, service: fooo, match: { path: / } }]`,
    'routes[0].service: found "fooo", expected one of the services foo; did you mean "foo"?',
  ],
  [
    'two routes of one id',
    `${SERVICE}\nroutes: [{ id: r, service: foo, match: { path: /a } }, { id: r, service: foo, match: { path: /b } }]`,
    'routes[1].id: found the id "r" again, expected an id of its own: routes[0] has this one',
  ],
  [
    'a method in lower case',
    route('match: { path: /a, methods: [get] }'),
    'routes[0].match.methods[0]: found "get", expected text that matches ^[A-Z]',
  ],
  [
    'a path without slash',
    route('match: { path: a }'),
    'routes[0].match.path: found "a", expected text that starts with \'/\'',
  ],
  [
    'a path with a name in a segment',
    route('match: { path: "/a-:b" }'),
    'routes[0].match.path: found the segment "a-:b", expected \':name\' as a whole segment',
  ],
  [
    'a name that stands twice',
    route('match: { path: "/:a/:a" }'),
    'routes[0].match.path: found ":a" twice, expected each name only once',
  ],
  [
    'a wildcard in the middle',
    route('match: { path: "/*/a" }'),
    "routes[0].match.path: found '*' before the end, expected '*' as the last segment only",
  ],
  [
    'a wildcard in a segment',
    route('match: { path: "/a*" }'),
    'routes[0].match.path: found the segment "a*", expected \'*\' as a whole segment',
  ],
  [
    'dot segments',
    route('match: { path: /a/../b }'),
    'routes[0].match.path: found the segment "..", expected a path without dot segments',
  ],
  [
    'an encoded slash',
    route('match: { path: /a%2Fb }'),
    'routes[0].match.path: found "/a%2Fb", expected a path without encoded slashes',
  ],
  [
    'doubled slashes',
    route('match: { path: //a }'),
    'routes[0].match.path: found "//a", expected a path without \'//\'',
  ],
  [
    'a route over /health',
    route('match: { path: /health/x }'),
    'routes[0].match.path: found "/health/x", expected another path: /health belongs to the gateway itself',
  ],
  [
    'a route over the admin routes',
    route('match: { path: /api/v1/gateway/* }'),
    'routes[0].match.path: found "/api/v1/gateway/*", expected another path: /api/v1/gateway belongs',
  ],
  [
    'a rewrite with an unknown name',
    route('match: { path: "/:symbol" }, rewrite: "/:symbl"'),
    'routes[0].rewrite: found ":symbl", expected the names of "/:symbol": :symbol; did you mean ":symbol"?',
  ],
  [
    'a rewrite with a rest that is not there',
    route('match: { path: /a }, rewrite: "/*"'),
    "routes[0].rewrite: found '*', expected no '*', as \"/a\" does not end in one",
  ],
  ['plugins as an object', 'plugins: { cors: {} }', 'plugins: found an object, expected a list'],
  [
    'a misspelt plugin',
    'plugins: [auth-jtw]',
    'plugins[0]: found "auth-jtw", expected a built-in plugin (cors, auth-jwt), an installed package, or a path that starts with \'./\'; did you mean "auth-jwt"?',
  ],
  [
    'a misspelt plugin with options',
    'plugins: [{ auth-jtw: { a: 1 } }]',
    'plugins[0].auth-jtw: found "auth-jtw", expected a built-in plugin',
  ],
  [
    'options that are not indented',
    'plugins:\n  - auth-jwt:\n    secret: abc',
    "plugins[0]: found an object with the keys auth-jwt, secret, expected a plugin's name, `name: {options}`, `name: true`, `name: false`, or `{ use, id, enabled, options }`; indent the options of auth-jwt further than its name",
  ],
  [
    'options that are none',
    'plugins: [{ cors: 5 }]',
    'plugins[0].cors: found 5, expected the options of the plugin, true or false',
  ],
  ['an entry that is none', 'plugins: [5]', "plugins[0]: found 5, expected a plugin's name"],
  [
    'an unknown key of an entry',
    'plugins: [{ use: cors, optons: {} }]',
    'plugins[0].optons: found an unknown key, expected one of use, id, enabled, options; did you mean "options"?',
  ],
  [
    'a plugin twice',
    'plugins: [cors, cors]',
    'plugins[1]: found the id "cors" again, expected an id of its own: plugins[0] has this one; write { use',
  ],
  [
    'an override of an unknown plugin',
    'services: { foo: { port: 1, plugins: { corz: false } } }\nplugins: [cors]',
    'services.foo.plugins.corz: found an override of a plugin that is not in the list, expected an id of the list: cors; did you mean "cors"?',
  ],
  [
    'an override that is none',
    'services: { foo: { port: 1, plugins: { cors: 5 } } }\nplugins: [cors]',
    'services.foo.plugins.cors: found 5, expected true or false, or an object',
  ],
  [
    'a range that is none',
    'trustedProxies: [10.0.0.0/33]',
    'trustedProxies[0]: found "10.0.0.0/33", expected an address or a CIDR range',
  ],
  [
    'a missing variable',
    'host: $' + '{NOT_SET}',
    'host: found $' +
      '{NOT_SET}, which is not set, expected the environment variable NOT_SET, or $' +
      '{NOT_SET:-default}',
  ],
  [
    'a variable that is no name',
    'host: $' + '{NOT-SET}',
    'host: found "$' + '{NOT-SET}", expected $' + '{NAME} or $' + '{NAME:-default}',
  ],
  [
    'a variable of a wrong type',
    'port: $' + '{WORD}',
    'port: found "word" (from $' + '{WORD}), expected an integer from 0 to 65535',
  ],
  [
    'a short token',
    'admin: { token: hunter2 }',
    'admin.token: found a string that is not shown, expected text of at least 16 characters',
  ],
  [
    'a key that stands twice',
    'port: 1\nport: 2',
    '.gatewayrc:2:1: found a key that stands there twice, expected each key once',
  ],
  ['a syntax error', 'port: [1', '.gatewayrc:1:9: found a syntax error ('],
];

describe('a wrong configuration', () => {
  for (const [name, yaml, line] of TABLE) {
    it(`says what is wrong: ${name}`, () => {
      const { message } = refusal(yaml);
      const lines = message.split('\n');
      expect(
        lines.some((text) => text.startsWith('.gatewayrc') && text.includes(line)),
        message,
      ).to.equal(true);
    });
  }

  it('reports all mistakes in one go', () => {
    const { mistakes } = refusal(`
      port: \${NOT_SET}
      lgging: {}
      limits: { connections: two }
      services: { gateway: http://a, foo: { targets: [http://b], timeout: { connect: soon } } }
      routes: [{ id: r, match: { path: /x/.. }, service: bar }]
      plugins: [corz, { cors: { a: "\${OTHER}" } }]
    `);
    expect(mistakes.map(({ path }) => path)).to.have.members([
      'port',
      'lgging',
      'limits.connections',
      'services.gateway',
      'services.foo.timeout.connect',
      'routes[0].match.path',
      'routes[0].service',
      'plugins[0]',
      'plugins[1].cors.a',
    ]);
  });

  it('is reported once where a variable is missing', () => {
    const { mistakes } = refusal('services: { foo: "$' + '{NOT_SET}" }');
    expect(mistakes.map(({ path }) => path)).to.deep.equal(['services.foo']);
  });

  it('never shows a secret', () => {
    const secrets = [
      'admin: { token: hunter2 }',
      'admin: { token: "$' + '{WORD_FOR_ADMINS}" }',
      'secret: *hunter2',
      'secret: |x hunter2\n',
      'plugins: [{ auth-jwt: hunter2 }]',
      'port: $' + '{API_TOKEN}',
    ];
    for (const yaml of [...secrets, 'api-gateway-service: { jwt_secret: [hunter2], port: x }']) {
      expect(refusal(yaml).message).not.to.include('hunter2');
    }
  });
});

function refusal(yaml: string): ConfigurationError {
  try {
    parseSettings(readYaml('.gatewayrc', yaml), {
      source: '.gatewayrc',
      baseDirectory: '.',
      env: { WORD: 'word', API_TOKEN: 'hunter2', WORD_FOR_ADMINS: 'hunter2' },
      catalogueNames: ['cors', 'auth-jwt'],
    });
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  return expect.fail('the configuration was accepted');
}
