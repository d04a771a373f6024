import type { CompiledSchema } from './compiled-schema.js';
import type { Findings } from './findings.js';
import type { MediaType } from './media-type.js';
import type { RequestView } from './request-view.js';
import type { TextShape } from './text-values.js';

/** What the general schemas, a rule, or an operation of an OpenAPI document ask of a request. */
export interface Demand {
  /**
   * Adds the faults of the request's head.
   *
   * @param params of the path, still percent-encoded
   */
  checkHead(view: RequestView, params: Readonly<Record<string, string>>, findings: Findings): void;
  /** What is asked of the body, if anything is. */
  readonly body: BodyDemand | undefined;
}

/** What is asked of a body. */
export interface BodyDemand {
  isRequired(method: string): boolean;
  /**
   * How a body of this type is checked.
   *
   * @param type undefined where the request names none
   * @returns `unchecked` when it is taken as it is, undefined when it is not taken
   */
  schemaFor(type: MediaType | undefined): BodySchema | 'unchecked' | undefined;
  /** The media ranges that are taken, for the answer to others. */
  readonly accepts: readonly string[];
}

/** The check of a body. */
export interface BodySchema {
  readonly schema: CompiledSchema;
  /** The types of the fields of a form. */
  readonly shape: TextShape;
}
