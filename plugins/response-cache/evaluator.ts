import { DirectiveReader, type Directives } from './cache-control.js';
import { type Candidate, evaluate } from './evaluate.js';
import type { CachePolicy, Refusal, RequestTraits, Reuse } from './policy.js';
import type { ResponseFields } from './response-fields.js';

/** An answer of {@link evaluate}, with what it came from. */
interface Evaluation {
  readonly status: number;
  readonly fields: ResponseFields;
  readonly request: RequestTraits;
  /** Nothing declares how long the response is fresh, so that other dates make for another answer. */
  readonly needsDates: boolean;
  readonly answer: Reuse | Refusal;
}

/** Evaluates responses as {@link evaluate}, and remembers the latest: most say the same as the one before, and share the answer. */
export class Evaluator {
  readonly #policy: CachePolicy;
  readonly #directives = new DirectiveReader();
  #latest: Evaluation | undefined = undefined;

  constructor(policy: CachePolicy) {
    this.#policy = policy;
  }

  of(candidate: Candidate): Reuse | Refusal {
    if (this.#latest !== undefined && isAnsweredBy(this.#latest, candidate)) return this.#latest.answer;
    const { status, fields, request } = candidate;
    const answer = evaluate(candidate, this.#policy, this.#directives.read);
    const needsDates = !(this.#policy.override || declares(this.#directives.read(fields.cacheControl)));
    if (fields.targeted === undefined && !(needsDates && isDated(fields))) {
      const { authorization, cookie, partitioned } = request;
      this.#latest = {
        status,
        fields,
        request: { authorization, cookie, partitioned },
        needsDates,
        answer,
      };
    }
    return answer;
  }
}

function isAnsweredBy(known: Evaluation, { status, fields, request }: Candidate): boolean {
  return (
    status === known.status &&
    request.authorization === known.request.authorization &&
    request.cookie === known.request.cookie &&
    request.partitioned === known.request.partitioned &&
    fields.targeted === undefined &&
    fields.cacheControl === known.fields.cacheControl &&
    fields.contentType === known.fields.contentType &&
    fields.contentEncoding === known.fields.contentEncoding &&
    fields.vary === known.fields.vary &&
    fields.pragma === known.fields.pragma &&
    fields.allowOrigin === known.fields.allowOrigin &&
    fields.setsCookie === known.fields.setsCookie &&
    hasValidator(fields) === hasValidator(known.fields) &&
    !(known.needsDates && isDated(fields))
  );
}

function declares(directives: Directives): boolean {
  return directives.has('max-age') || directives.has('s-maxage');
}

function hasValidator({ etag, lastModified }: ResponseFields): boolean {
  return etag !== undefined || lastModified !== undefined;
}

function isDated({ expires, lastModified }: ResponseFields): boolean {
  return expires !== undefined || lastModified !== undefined;
}
