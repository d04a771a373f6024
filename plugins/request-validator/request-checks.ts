import type { Exchange } from '../../core/index.js';
import { BodyCheck, findMissing } from './body-check.js';
import type { BodyDemand, Demand } from './demand.js';
import { Findings, pointerTo } from './findings.js';
import { MistakeList } from './mistake-list.js';
import { OpenApi } from './openapi/openapi.js';
import type { RequestValidatorOptions, RuleOptions } from './options.js';
import { PathTemplate, split } from './path-template.js';
import { isPrototypeName, RequestView } from './request-view.js';
import { SchemaCompiler } from './schema-compiler.js';
import { SchemaDemand } from './schema-demand.js';

interface Rule {
  readonly methods: ReadonlySet<string> | undefined;
  readonly template: PathTemplate | undefined;
  readonly demand: Demand;
}

const NO_DEMANDS: readonly BodyDemand[] = [];

/** All checks that one set of options asks for, compiled. */
export class RequestChecks {
  readonly #general: Demand | undefined;
  readonly #rules: readonly Rule[];
  readonly #openapi: OpenApi | undefined;
  readonly #bodies: BodyCheck;
  readonly #stripsKeys: boolean;

  /**
   * @param where the options stand, for messages
   * @throws ConfigurationError with every mistake in a schema, or in the OpenAPI document
   */
  constructor(options: RequestValidatorOptions, where: string) {
    const mistakes = new MistakeList(where);
    // 0 would mean no limit to the kernel, and all that is read here is held in memory.
    if (options.maxBody === 0) mistakes.add('maxBody', '0', 'a size of at least one byte');
    const compiler = new SchemaCompiler(options.sanitise, mistakes);
    const demand = (schemas: RuleOptions, path: string) =>
      new SchemaDemand(schemas, path, options.contentTypes, compiler);
    this.#general = Object.keys(options.schemas).length > 0 ? demand(options.schemas, 'schemas') : undefined;
    this.#rules = options.rules.map((rule, position) => ({
      methods:
        rule.methods && new Set(rule.methods.includes('GET') ? [...rule.methods, 'HEAD'] : rule.methods),
      template: rule.path === undefined ? undefined : PathTemplate.ofRoute(rule.path),
      demand: demand(rule, `rules[${position}]`),
    }));
    mistakes.raise();
    this.#openapi = options.openapi && new OpenApi(options.openapi, options.sanitise);
    this.#bodies = new BodyCheck(options);
    this.#stripsKeys = options.prototypeKeys === 'strip';
  }

  /**
   * Checks a request.
   *
   * @returns undefined when there is nothing to wait for: the request has no body, or one that is not looked into
   * @throws GatewayError with all faults, also by the promise
   */
  check(exchange: Exchange): Promise<void> | undefined {
    const view = new RequestView(exchange);
    const findings = new Findings();
    this.#checkQueryNames(view, findings);
    const bodies = this.#checkHead(view, findings);
    if (!exchange.hasBody) {
      findMissing(exchange, bodies, findings);
      findings.raise();
      return undefined;
    }
    const pending = this.#bodies.check(view, bodies, findings);
    if (pending === undefined) findings.raise();
    return pending;
  }

  /** @returns what is asked of the body */
  #checkHead(view: RequestView, findings: Findings): readonly BodyDemand[] {
    const { exchange } = view;
    let bodies: BodyDemand[] | undefined;
    const apply = (demand: Demand, params: Readonly<Record<string, string>>) => {
      demand.checkHead(view, params, findings);
      if (demand.body === undefined) return;
      bodies ??= [];
      bodies.push(demand.body);
    };
    if (this.#general !== undefined) apply(this.#general, exchange.params);
    if (this.#rules.length > 0) {
      // Many services take a final slash for nothing; a rule is not to be evaded by one.
      const segments = split(exchange.path.replace(/(?<=.)\/$/, ''));
      for (const { methods, template, demand } of this.#rules) {
        if (methods !== undefined && !methods.has(exchange.req.method ?? '')) continue;
        const params = template === undefined ? exchange.params : template.match(segments);
        if (params !== undefined) apply(demand, { ...exchange.params, ...params });
      }
    }
    const found = this.#openapi?.find(view);
    if (found !== undefined) apply(found.operation, found.params);
    return bodies ?? NO_DEMANDS;
  }

  /** Names that would reach an object's prototype in a service that nests `a[b]=c`. */
  #checkQueryNames(view: RequestView, findings: Findings): void {
    const text = view.queryText;
    // Each such name has this in it, unless it is escaped.
    if (!text.includes('proto') && !text.includes('%')) return;
    const suspects = view.query.filter(({ name }) => isPrototypeName(name));
    if (suspects.length === 0) return;
    if (!this.#stripsKeys) {
      for (const { name } of suspects) {
        findings.add('query', pointerTo('', name), 'expected no such parameter', 'prototypeKeys');
      }
      return;
    }
    const kept = view.query.filter((pair) => !suspects.includes(pair)).map(({ source }) => source);
    view.exchange.upstreamPath = view.upstreamPath + (kept.length > 0 ? `?${kept.join('&')}` : '');
    view.rereadQuery();
  }
}
