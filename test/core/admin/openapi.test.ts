import { expect } from 'chai';
import { definePlugin, type EndpointRouter } from '../../../core/index.js';
import { type RunningGateway, startGateway } from '../../support/gateway.js';
import { catalogueOf, definition } from '../loader/support.js';

type Json = Record<string, unknown>;

function record(value: unknown, where: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${where}: no object`);
  return { ...value };
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/** What is structurally wrong with a document, by the rules of OpenAPI 3.1 that matter to its readers. */
function faultsOf(document: Json): string[] {
  const faults: string[] = [];
  const check = (holds: boolean, fault: string) => {
    if (!holds) faults.push(fault);
  };
  check(/^3\.1\.\d+$/.test(String(document.openapi)), 'openapi is not 3.1');
  const info = record(document.info, 'info');
  check(typeof info.title === 'string' && typeof info.version === 'string', 'info lacks title or version');
  const { schemas, securitySchemes } = record(document.components, 'components');
  const known = {
    schemas: new Set(Object.keys(record(schemas, 'schemas'))),
    security: new Set(Object.keys(record(securitySchemes, 'securitySchemes'))),
  };
  const ids = new Set<unknown>();
  for (const [path, item] of Object.entries(record(document.paths, 'paths'))) {
    check(/^\/[^?#:*]*$/.test(path), `${path} is no path template`);
    for (const [method, value] of Object.entries(record(item, path))) {
      const at = `${method} ${path}`;
      const operation = record(value, at);
      check(METHODS.includes(method), `${at}: no method of OpenAPI`);
      check(typeof operation.summary === 'string' && operation.summary !== '', `${at}: no summary`);
      if (operation.operationId !== undefined) {
        check(!ids.has(operation.operationId), `${at}: operationId again`);
        ids.add(operation.operationId);
      }
      const responses = Object.entries(record(operation.responses, `${at} responses`));
      check(responses.length > 0, `${at}: no responses`);
      for (const [status, response] of responses) {
        check(/^(?:[1-5]\d\d|[1-5]XX|default)$/.test(status), `${at}: response ${status}`);
        check(typeof record(response, at).description === 'string', `${at} ${status}: no description`);
      }
      const parameters: unknown[] = Array.isArray(operation.parameters) ? operation.parameters : [];
      const named = parameters.map((parameter) => record(parameter, at)).filter((each) => each.in === 'path');
      check(
        named.every((each) => each.required === true && each.schema !== undefined),
        `${at}: parameters`,
      );
      const wanted = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      check(
        JSON.stringify(named.map((each) => each.name)) === JSON.stringify(wanted),
        `${at}: path parameters`,
      );
      for (const requirement of Array.isArray(operation.security) ? operation.security : []) {
        for (const scheme of Object.keys(record(requirement, at)))
          check(known.security.has(scheme), `${at}: ${scheme}`);
      }
    }
  }
  for (const [, target = ''] of JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)) {
    const name = target.replace('#/components/schemas/', '');
    check(known.schemas.has(name), `$ref to ${target}, which is not there`);
  }
  return faults;
}

const extended = definePlugin({
  ...definition(
    'extended',
    {},
    {
      admin(router: EndpointRouter) {
        router.get('/things/:id', (ctx) => {
          ctx.body = {};
        });
        router.delete('/things/:id', (ctx) => {
          ctx.body = {};
        });
      },
      endpoints(router: EndpointRouter) {
        router.post('/api/v1/auth/login', (ctx) => {
          ctx.body = {};
        });
      },
    },
  ),
});

/** All that the gateway answers itself, as methods and paths. */
const OWN = [
  'get /health',
  'get /health/live',
  'get /health/ready',
  'get /api/v1/gateway/status',
  'get /api/v1/gateway/stats',
  'get /api/v1/gateway/services',
  'post /api/v1/gateway/services',
  'get /api/v1/gateway/services/{name}',
  'put /api/v1/gateway/services/{name}',
  'delete /api/v1/gateway/services/{name}',
  'get /api/v1/gateway/routes',
  'get /api/v1/gateway/plugins',
  'get /api/v1/gateway/openapi.json',
];
const ADDED = [
  'get /api/v1/gateway/things/{id}',
  'delete /api/v1/gateway/things/{id}',
  'post /api/v1/auth/login',
];

describe('the OpenAPI description', () => {
  let running: RunningGateway;
  let document: Json;
  before(async () => {
    running = await startGateway({ plugins: ['extended'] }, { catalogue: catalogueOf(extended) });
    const response = await fetch(`${running.url}/api/v1/gateway/openapi.json`);
    expect(response.status).to.equal(200);
    expect(response.headers.get('content-type')).to.match(/^application\/json/);
    document = record(await response.json(), 'the document');
  });
  after(() => running.stop());

  const operations = () =>
    Object.entries(record(document.paths, 'paths')).flatMap(([path, item]) =>
      Object.keys(record(item, path)).map((method) => `${method} ${path}`),
    );

  it('is valid 3.1', () => {
    expect(faultsOf(document)).to.deep.equal([]);
  });

  it('is checked by something that finds faults', () => {
    const broken = structuredClone(document);
    record(broken.info, 'info');
    Object.assign(broken, {
      paths: { '/x/{y}': { fetch: { responses: { 99: { $ref: '#/components/schemas/None' } } } } },
    });
    expect(faultsOf(broken)).to.have.length.greaterThan(4);
  });

  it('has every route that is mounted, those of plugins too', () => {
    expect(operations()).to.have.members([...OWN, ...ADDED]);
  });

  it('says more of the gateway’s own routes than that they are there', () => {
    for (const each of OWN) {
      const [method = '', path = ''] = each.split(' ');
      const operation = record(record(record(document.paths, 'paths')[path], path)[method], each);
      expect(operation.summary, each).not.to.contain('plugin ');
      expect(operation, each).to.have.property('operationId');
    }
  });

  it('describes what is answered', async () => {
    const { schemas } = record(document.components, 'components');
    const fieldsOf = (name: string) =>
      Object.keys(record(record(record(schemas, name)[name], name).properties, name));
    const answer = async (path: string) => record(await (await fetch(`${running.url}${path}`)).json(), path);
    expect(await answer('/health')).to.have.all.keys(fieldsOf('Health'));
    expect(await answer('/api/v1/gateway/status')).to.have.all.keys(fieldsOf('Status'));
    expect(await answer('/api/v1/gateway/services')).to.have.all.keys(fieldsOf('Services'));
    expect(await answer('/api/v1/gateway/routes')).to.have.all.keys(fieldsOf('Routes'));
    expect(await answer('/api/v1/gateway/plugins')).to.have.all.keys(fieldsOf('Plugins'));
    const { details: _, ...error } = { details: undefined, ...(await answer('/api/v1/gateway/nothing')) };
    expect(error).to.have.all.keys(fieldsOf('Error').filter((field) => field !== 'details'));
    const created = await fetch(`${running.url}/api/v1/gateway/services`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ service_name: 'a', port: 1 }),
    });
    expect(await created.json()).to.have.all.keys(fieldsOf('NamedService'));
  });
});
