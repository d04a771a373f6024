import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import requestValidator from '../../plugins/request-validator/index.js';
import { type PluginKit, runPlugin } from '../support/plugin-kit.js';

const SHOP = `
openapi: 3.0.3
info: { title: Shop, version: '1' }
servers:
  - url: https://shop.example.com/{base}
    variables: { base: { default: api/v1 } }
paths:
  /orders:
    parameters:
      - { name: X-Tenant, in: header, required: true, schema: { type: string, pattern: '^[a-z]+$' } }
    get:
      parameters:
        - $ref: '#/components/parameters/Limit'
        - { name: ids, in: query, schema: { type: array, items: { type: integer }, maxItems: 3 } }
        - { name: tags, in: query, explode: false, schema: { type: array, items: { type: string, maxLength: 3 } } }
        - { name: piped, in: query, style: pipeDelimited, explode: false, schema: { type: array, items: { type: integer } } }
        - { name: open, in: query, allowEmptyValue: true, schema: { type: boolean } }
        - name: filter
          in: query
          style: deepObject
          schema:
            type: object
            additionalProperties: false
            properties: { state: { enum: [open, done] }, min: { type: integer } }
        - name: json
          in: query
          content: { application/json: { schema: { type: object, required: [a] } } }
        - { name: session, in: cookie, schema: { type: string, minLength: 4 } }
        - { name: X-Ids, in: header, schema: { type: array, items: { type: integer } } }
        - { name: Authorization, in: header, required: true, schema: { type: string } }
      responses: { '200': { description: ok, content: { application/json: { schema: { type: nonsense } } } } }
    post:
      requestBody:
        required: true
        content:
          application/json: { schema: { $ref: '#/components/schemas/Order' } }
          application/x-www-form-urlencoded: { schema: { $ref: '#/components/schemas/Order' } }
          image/*: {}
      responses: {}
    put:
      requestBody: { content: { '*/*': { schema: { type: object } } } }
  /orders/{id}:
    parameters:
      - { name: id, in: path, required: true, schema: { type: integer, format: int32 } }
    get: { x-note: none, responses: {} }
    delete: {}
  /orders/latest:
    get: {}
  /files/{name}.{ext}:
    get:
      parameters:
        - { name: name, in: path, required: true, schema: { type: string, minLength: 2 } }
        - { name: ext, in: path, required: true, schema: { enum: [txt, csv] } }
  /sets/{list}:
    get:
      parameters:
        - { name: list, in: path, required: true, schema: { type: array, items: { type: integer }, maxItems: 2 } }
components:
  parameters:
    Limit: { name: limit, in: query, schema: { type: integer, minimum: 0, exclusiveMinimum: true } }
  securitySchemes:
    key: { type: apiKey, in: query, name: api_key }
  schemas:
    Order:
      type: object
      required: [id, symbol, amount]
      additionalProperties: false
      properties:
        id: { type: string, readOnly: true }
        symbol: { type: string, example: BTC, x-internal: true }
        amount: { type: number, nullable: true, format: decimal }
        parent: { $ref: '#/components/schemas/Order' }
`;

describe('request-validator with OpenAPI', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'openapi-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function run(
    text = SHOP,
    options: object = {},
    more: object = {},
    name = 'api.yaml',
  ): Promise<PluginKit> {
    const file = join(folder, name);
    await writeFile(file, text);
    return runPlugin(requestValidator, { openapi: { file, ...options }, ...more });
  }

  const rows: [string, string, string | undefined][] = [
    ['GET', '/orders', undefined],
    ['HEAD', '/orders', undefined],
    [
      'GET',
      '/orders?limit=1&ids=1&ids=2&tags=a,b&piped=1%7C2&open=true&session=x',
      'query /session undocumented',
    ],
    ['GET', '/orders?limit=1&ids=1&ids=2&tags=a,b&piped=1%7C2&open=&api_key=x', undefined],
    ['GET', '/orders?limit=0', 'query /limit exclusiveMinimum'],
    ['GET', '/orders?limit=1&limit=2', 'query /limit repetition'],
    ['GET', '/orders?limit=one', 'query /limit type'],
    ['GET', '/orders?limit=', 'query /limit type'],
    ['GET', '/orders?limit=%ff', 'query /limit encoding'],
    ['GET', '/orders?ids=1&ids=x', 'query /ids/1 type'],
    ['GET', '/orders?ids=1&ids=2&ids=3&ids=4', 'query /ids maxItems'],
    ['GET', '/orders?tags=a,bcde', 'query /tags/1 maxLength'],
    ['GET', '/orders?tags=a%2Cb', undefined],
    ['GET', '/orders?tags=a&tags=b', 'query /tags repetition'],
    ['GET', '/orders?open=1', 'query /open type'],
    ['GET', '/orders?filter[state]=open&filter%5Bmin%5D=5', undefined],
    ['GET', '/orders?filter[state]=gone', 'query /filter/state enum'],
    ['GET', '/orders?filter[min]=x', 'query /filter/min type'],
    ['GET', '/orders?filter[other]=x', 'query /filter/other additionalProperties'],
    ['GET', '/orders?filter[a][b]=x', 'query /filter[a][b] deepObject'],
    ['GET', '/orders?filter[min]=1&filter[min]=2', 'query /filter[min] deepObject'],
    ['GET', '/orders?json=%7B%22a%22:1%7D', undefined],
    ['GET', '/orders?json=%7B%7D', 'query /json/a required'],
    ['GET', '/orders?json=%7B', 'query /json json'],
    ['GET', '/orders?extra=1', 'query /extra undocumented'],
    ['GET', '/orders/1', undefined],
    ['GET', '/orders/latest', undefined],
    ['GET', '/orders/x', 'path /id type'],
    ['GET', '/orders/3000000000', 'path /id format'],
    ['DELETE', '/orders/1', undefined],
    ['GET', '/files/ab.csv', undefined],
    ['GET', '/files/a.csv', 'path /name minLength'],
    ['GET', '/files/ab.exe', 'path /ext enum'],
    ['GET', '/files/csv', '404'],
    ['GET', '/sets/1,2', undefined],
    ['GET', '/sets/1,2,3', 'path /list maxItems'],
    ['GET', '/sets/1,x', 'path /list/1 type'],
    ['GET', '/', '404'],
    ['GET', '/orders/', '404'],
    ['GET', '/orders/1/2', '404'],
    ['GET', '/Orders', '404'],
    ['PATCH', '/orders', '405'],
    ['OPTIONS', '/orders/1', '405'],
    ['DELETE', '/orders/latest', '405'],
  ];
  for (const [method, target, wanted] of rows) {
    it(`${method} ${target}: ${wanted ?? 'passes'}`, async () => {
      const { url, upstream } = await run();
      const response = await fetch(`${url}/api/v1/demo${target}`, {
        method,
        headers: { 'x-tenant': 'acme' },
      });
      const text = await response.text();
      if (wanted === undefined) {
        expect(response.status, text).to.equal(200);
        expect(upstream.requests).to.have.length(1);
      } else if (/^\d+$/.test(wanted)) expect(`${response.status}`).to.equal(wanted);
      else {
        const { details } = JSON.parse(text);
        expect(
          details.map((each: Record<string, string>) => `${each.in} ${each.path} ${each.keyword}`),
        ).to.deep.equal([wanted]);
        expect(response.status).to.equal(400);
      }
    });
  }

  it('checks header fields and cookies', async () => {
    const { agent } = await run();
    const get = (fields: Record<string, string>) => agent.get('/api/v1/demo/orders').set(fields);
    await get({ 'x-tenant': 'acme', 'x-ids': '1, 2', cookie: 'a=b; session=abcd' }).expect(200);
    const missing = await get({}).expect(400);
    expect(missing.body.details).to.deep.equal([
      { in: 'header', path: '/x-tenant', message: 'expected a value', keyword: 'required' },
    ]);
    const wrong = await get({ 'x-tenant': 'A', 'x-ids': '1,x', cookie: 'session=abc' }).expect(400);
    expect(wrong.body.details.map(({ path }: { path: string }) => path)).to.have.members([
      '/x-tenant',
      '/x-ids/1',
      '/session',
    ]);
    await get({ 'x-tenant': 'acme', cookie: 'session=abcd; session=efgh' }).expect(400);
  });

  it('checks bodies by their content type', async () => {
    const { agent, upstream } = await run();
    const send = (method: 'post' | 'put' | 'get', type: string, body: string) =>
      agent[method]('/api/v1/demo/orders').set({ 'x-tenant': 'acme', 'content-type': type }).send(body);
    const json = '{ "symbol":"BTC", "amount":null, "parent":{"symbol":"X","amount":1} }';
    await send('post', 'application/json', json).expect(200);
    expect(upstream.requests[0]?.body.toString()).to.equal(json);
    await send('post', 'application/json', '{"symbol":"BTC"}').expect(400);
    await send('post', 'application/json', '{"symbol":"BTC","amount":1,"parent":{}}').expect(400);
    await send('post', 'application/x-www-form-urlencoded', 'symbol=BTC&amount=1').expect(200);
    await send('post', 'application/x-www-form-urlencoded', 'symbol=BTC&amount=x').expect(400);
    await send('post', 'image/png', 'anything').expect(200);
    const refused = await send('post', 'text/plain', '{}').expect(415);
    expect(refused.headers.accept).to.equal('application/json, application/x-www-form-urlencoded, image/*');
    await agent.post('/api/v1/demo/orders').set('x-tenant', 'acme').expect(400);
    await agent.put('/api/v1/demo/orders').set('x-tenant', 'acme').expect(200);
    await send('put', 'application/json', '[]').expect(400);
    await send('put', 'application/octet-stream', '[]').expect(200);
    const unexpected = await send('get', 'application/json', '{}').expect(400);
    expect(unexpected.body.details[0]).to.include({ in: 'body', keyword: 'requestBody' });
  });

  it('names the methods that a path has', async () => {
    const { agent } = await run();
    const response = await agent.patch('/api/v1/demo/orders').expect(405);
    expect(response.headers.allow).to.equal('GET, PUT, POST');
  });

  it('lets pass what the document does not have, where it may', async () => {
    const undocumented = { paths: 'pass', methods: 'pass', parameters: 'pass', bodies: 'pass' };
    const { agent } = await run(SHOP, { undocumented });
    await agent.get('/api/v1/demo/other').expect(200);
    await agent.patch('/api/v1/demo/orders').expect(200);
    await agent.delete('/api/v1/demo/orders/1?x=1').send({ a: 1 }).expect(200);
    await agent.get('/api/v1/demo/orders').expect(400);
  });

  it('takes a base path of one’s own', async () => {
    const { agent } = await run(SHOP, { basePath: '/other/' });
    await agent.get('/api/v1/demo/orders/1').expect(404);
  });

  it('sanitises by the schemas of the document', async () => {
    const { agent, upstream } = await run(
      SHOP,
      {},
      { sanitise: { removeAdditional: true, coerceTypes: true } },
    );
    await agent
      .post('/api/v1/demo/orders')
      .set({ 'x-tenant': 'acme', 'content-type': 'application/json' })
      .send('{ "symbol":5, "amount":"1.5", "extra":1 }')
      .expect(200);
    expect(upstream.requests[0]?.body.toString()).to.equal('{"symbol":"5","amount":1.5}');
  });

  it('reads JSON and version 3.1', async () => {
    const document = {
      openapi: '3.1.0',
      info: { title: 'x', version: '1' },
      paths: {
        '/api/v1/a': {
          post: {
            requestBody: {
              content: {
                'application/json': {
                  schema: {
                    type: ['object', 'null'],
                    properties: {
                      n: { exclusiveMinimum: 1 },
                      t: { prefixItems: [{ const: 1 }], items: false },
                    },
                    $ref: '#/components/schemas/Base',
                  },
                },
              },
            },
          },
        },
      },
      components: {
        schemas: {
          Base: { required: ['n'], unevaluatedProperties: true, discriminator: { propertyName: 'n' } },
        },
      },
    };
    const { agent } = await run(JSON.stringify(document), {}, {}, 'api.json');
    await agent
      .post('/api/v1/demo/a')
      .send({ n: 2, t: [1] })
      .expect(200);
    await agent.post('/api/v1/demo/a').send({ n: 1 }).expect(400);
    await agent
      .post('/api/v1/demo/a')
      .send({ n: 2, t: [1, 2] })
      .expect(400);
    await agent.post('/api/v1/demo/a').send({}).expect(400);
  });

  describe('stops the start with the place of what is wrong', () => {
    const broken = (change: (text: string) => string) => async () => {
      try {
        await run(change(SHOP));
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
      return 'nothing';
    };
    for (const [what, from, to, place] of [
      ['version 2', 'openapi: 3.0.3', "swagger: '2.0'", '#/openapi'],
      ['no YAML', 'paths:', 'paths: [', 'a file that cannot be read'],
      [
        'a reference',
        '#/components/parameters/Limit',
        '#/components/parameters/None',
        '#/paths/~1orders/get/parameters/0/$ref',
      ],
      [
        'a type',
        'symbol: { type: string',
        'symbol: { type: text',
        '#/components/schemas/Order/properties/symbol/type',
      ],
      [
        'a keyword',
        'symbol: { type: string',
        'symbol: { minLen: 3',
        '#/components/schemas/Order/properties/symbol/minLen',
      ],
      [
        'a reference of a schema',
        "parent: { $ref: '#/components/schemas/Order' }",
        "parent: { $ref: '#/components/schemas/Gone' }",
        '#/components/schemas/Gone',
      ],
      [
        'a style',
        'style: pipeDelimited, explode: false',
        'style: pipes',
        '#/paths/~1orders/get/parameters/3/style',
      ],
      [
        'no schema',
        'name: open, in: query, allowEmptyValue: true, schema: { type: boolean }',
        'name: open, in: query',
        '#/paths/~1orders/get/parameters/4',
      ],
      [
        'no such place',
        'name: session, in: cookie',
        'name: session, in: body',
        '#/paths/~1orders/get/parameters/7',
      ],
      [
        'no parameter of the path',
        'name: list, in: path',
        'name: list, in: query',
        '#/paths/~1sets~1{list}/get',
      ],
    ] as const) {
      it(what, async () => {
        expect(SHOP).to.contain(from);
        const message = await broken((text) => text.replace(from, to))();
        expect(message).to.contain('api.yaml');
        expect(message).to.contain(place);
      });
    }

    it('no file', async () => {
      let message = '';
      try {
        await runPlugin(requestValidator, { openapi: { file: join(folder, 'none.yaml') } });
      } catch (error) {
        message = String(error);
      }
      expect(message).to.contain('none.yaml');
    });
  });
});
