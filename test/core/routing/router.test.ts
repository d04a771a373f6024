import { expect } from 'chai';
import type { RouteSettings } from '../../../core/config/schema.js';
import type { CompiledRoute } from '../../../core/pipeline.js';
import { type RouteQuery, Router } from '../../../core/routing/router.js';
import type { Service } from '../../../core/services/service.js';
import { serviceOf, settingsOf } from '../services/support.js';

type Match = RouteSettings['match'];

const files = serviceOf('files', settingsOf(['http://files']));

function compiledRoute(id: string, service: Service): CompiledRoute {
  const route = { id, service, pattern: '/', methods: undefined, plugins: [] };
  return {
    route,
    handle: async () => {},
    forward: undefined,
    upgrade: undefined,
    attemptUpgrade: () => Promise.reject(new Error('not asked for')),
    finished: [],
  };
}

function add(router: Router, id: string, match: Match, rest: Partial<RouteSettings> = {}): void {
  router.addRoute(compiledRoute(id, files), {
    id,
    match,
    service: 'files',
    priority: 0,
    plugins: {},
    ...rest,
  });
}

function query(
  path: string,
  rest: Partial<RouteQuery> & { headers?: Record<string, string> } = {},
): RouteQuery {
  const { headers = {}, ...given } = rest;
  return { method: 'GET', preflight: false, hostname: 'gateway.test', path, req: { headers }, ...given };
}

function idOf(router: Router, asked: RouteQuery): string | undefined {
  return router.find(asked)?.compiled.route.id;
}

describe('Router', () => {
  let router: Router;
  beforeEach(() => {
    router = new Router();
  });

  describe('routes of the configuration', () => {
    it('match by host, with wildcards, in any case', () => {
      add(router, 'own', { path: '/x', hosts: ['Quotes.Example.com', '*.Example.ORG'] });
      add(router, 'other', { path: '/x', hosts: ['b.test'] });
      for (const hostname of ['quotes.example.com', 'a.example.org', 'a.b.example.org']) {
        expect(idOf(router, query('/x', { hostname })), hostname).to.equal('own');
      }
      expect(idOf(router, query('/x', { hostname: 'b.test' }))).to.equal('other');
      for (const hostname of ['example.org', 'quotes.example.com.evil', '']) {
        expect(idOf(router, query('/x', { hostname })), hostname).to.equal(undefined);
      }
    });

    it('match by method; GET takes HEAD along', () => {
      add(router, 'read', { path: '/x', methods: ['GET'] });
      add(router, 'write', { path: '/x', methods: ['POST', 'PUT'] });
      expect(idOf(router, query('/x', { method: 'HEAD' }))).to.equal('read');
      expect(idOf(router, query('/x', { method: 'PUT' }))).to.equal('write');
      expect(idOf(router, query('/x', { method: 'DELETE' }))).to.equal(undefined);
      expect(idOf(router, query('/x', { method: 'post' }))).to.equal(undefined);
    });

    it('match by the exact value of header fields', () => {
      add(router, 'gold', { path: '/x', headers: { 'X-Tier': 'gold', 'x-region': 'eu' } });
      add(router, 'all', { path: '/x' });
      expect(idOf(router, query('/x', { headers: { 'x-tier': 'gold', 'x-region': 'eu' } }))).to.equal('gold');
      expect(idOf(router, query('/x', { headers: { 'x-tier': 'gold' } }))).to.equal('all');
      expect(idOf(router, query('/x', { headers: { 'x-tier': 'golden', 'x-region': 'eu' } }))).to.equal(
        'all',
      );
    });

    it('win by priority, then by the more specific path', () => {
      add(router, 'exact', { path: '/x/y' });
      add(router, 'parameter', { path: '/x/:name' });
      add(router, 'urgent', { path: '/*', headers: { 'x-debug': '1' } }, { priority: 10 });
      expect(idOf(router, query('/x/y'))).to.equal('exact');
      expect(idOf(router, query('/x/z'))).to.equal('parameter');
      expect(idOf(router, query('/x/y', { headers: { 'x-debug': '1' } }))).to.equal('urgent');
    });

    it('lead to the same path, or to what it is rewritten to', () => {
      add(router, 'same', { path: '/same/:id' });
      add(router, 'other', { path: '/q/:symbol/*' }, { rewrite: '/api/v1/quotes/:symbol/*' });
      expect(router.find(query('/same/1'))).to.deep.include({
        params: { id: '1' },
        upstreamPath: '/same/1',
        websocket: false,
      });
      const found = router.find(query('/q/a%20b/c/d'));
      expect(found?.upstreamPath).to.equal('/api/v1/quotes/a%20b/c/d');
      expect(found?.params).to.deep.equal({ symbol: 'a%20b', '*': 'c/d' });
    });

    it('match in whatever spelling their pattern was written', () => {
      add(router, 'lower', { path: '/caf%c3%a9/:id' }, { rewrite: '/%7euser/é/:id' });
      add(router, 'plain', { path: '/größe' });
      expect(router.find(query('/caf%C3%A9/1'))?.upstreamPath).to.equal('/~user/%C3%A9/1');
      expect(idOf(router, query('/gr%C3%B6%C3%9Fe'))).to.equal('plain');
    });
  });

  describe('built-in routes', () => {
    function withService(name: string, paths: Partial<ReturnType<typeof settingsOf>> = {}): Service {
      const service = serviceOf(name, { ...settingsOf([`http://${name}`]), ...paths });
      router.setService(compiledRoute(name, service));
      return service;
    }

    it('replace the prefix by the base path of the service', () => {
      withService('a');
      const path = (asked: string) => router.find(query(asked))?.upstreamPath;
      expect(path('/api/v1/a/status')).to.equal('/api/v1/status');
      expect(path('/api/v1/a/')).to.equal('/api/v1/');
      expect(path('/api/v1/a')).to.equal('/api/v1');
      expect(path('/api/v1/ab')).to.equal(undefined);
      expect(path('/api/v1/')).to.equal(undefined);
      expect(path('/api/v1')).to.equal(undefined);
      expect(path('/api/v2/a/status')).to.equal(undefined);
    });

    it('join base paths with and without a final slash', () => {
      withService('root', { basePath: '/' });
      withService('deep', { basePath: '/x/y/' });
      const path = (asked: string) => router.find(query(asked))?.upstreamPath;
      expect(path('/api/v1/root/a/b')).to.equal('/a/b');
      expect(path('/api/v1/root')).to.equal('/');
      expect(path('/api/v1/root/')).to.equal('/');
      expect(path('/api/v1/deep/a')).to.equal('/x/y/a');
      expect(path('/api/v1/deep')).to.equal('/x/y/');
    });

    it('have a place of their own for WebSockets', () => {
      withService('a', { websocketBasePath: '/live' });
      const found = router.find(query('/ws/a/feed'));
      expect(found?.upstreamPath).to.equal('/live/feed');
      expect(found?.websocket).to.equal(true);
      expect(router.find(query('/api/v1/a/feed'))?.websocket).to.equal(false);
    });

    it('come after the routes of the configuration', () => {
      withService('a');
      add(router, 'own', { path: '/api/v1/a/special', methods: ['GET'] });
      expect(idOf(router, query('/api/v1/a/special'))).to.equal('own');
      expect(idOf(router, query('/api/v1/a/special', { method: 'POST' }))).to.equal('a');
      expect(idOf(router, query('/api/v1/a/other'))).to.equal('a');
    });

    it('do not take names of an object for services', () => {
      for (const name of ['__proto__', 'constructor', 'toString', '']) {
        expect(router.find(query(`/api/v1/${name}/x`)), name).to.equal(undefined);
      }
    });

    it('come and go', () => {
      const first = withService('a');
      expect(router.serviceOf('a')).to.equal(first);
      const second = withService('a', { basePath: '/v2' });
      expect(router.serviceOf('a')).to.equal(second);
      expect(router.find(query('/api/v1/a/x'))?.upstreamPath).to.equal('/v2/x');
      expect(router.list()).to.have.length(1);
      router.removeService('a');
      expect(router.find(query('/api/v1/a/x'))).to.equal(undefined);
      expect(router.serviceOf('a')).to.equal(undefined);
    });
  });

  it('lists the routes of the configuration before those of services', () => {
    router.setService(compiledRoute('files', files));
    add(router, 'own', { path: '/x' });
    expect(router.list().map(({ route }) => route.id)).to.deep.equal(['own', 'files']);
  });

  it('tells the methods that a path has routes for, where all else fits', () => {
    add(router, 'read', { path: '/x', methods: ['GET'] });
    add(router, 'write', { path: '/:any', methods: ['POST'], hosts: ['gateway.test'] });
    add(router, 'elsewhere', { path: '/x', methods: ['DELETE'], hosts: ['other.test'] });
    add(router, 'special', { path: '/x', methods: ['PATCH'], headers: { 'x-tier': 'gold' } });
    const asked = query('/x', { method: 'BREW' });
    expect(router.allowedMethods(asked)).to.have.members(['GET', 'HEAD', 'POST']);
    expect(router.allowedMethods(query('/nowhere/at/all', { method: 'BREW' }))).to.deep.equal([]);
  });
});
