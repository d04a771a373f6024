import { exonerate, stamp } from './blame.js';

/** A plugin's middleware. */
export interface Layer<Context> {
  /** The id of the plugin instance. */
  readonly id: string;
  readonly middleware: (
    ctx: Context,
    next: () => Promise<void>,
    inner: (ctx: Context) => Promise<void>,
  ) => Promise<void> | void;
}

/** Middleware that was composed, with what is in its middle. */
export type Onion<Context> = (ctx: Context) => Promise<void>;

/** What an onion returns when its outermost layer answered by itself, at once: nobody needs to wait. */
export const ANSWERED = Promise.resolve();

/**
 * Composes middleware once, so that a request only walks through it.
 *
 * @param layers the outermost first
 */
export function compose<Context>(layers: readonly Layer<Context>[], centre: Onion<Context>): Onion<Context> {
  return layers.reduceRight((inner, layer) => wrap(layer, inner), innermost(centre));
}

/** What fails in the middle is no layer's fault, and must not end the process where a layer does not wait for next(). */
function innermost<Context>(centre: Onion<Context>): Onion<Context> {
  return (ctx) => {
    const passed = centre(ctx);
    // Attached first, so that the failure is stamped before any layer learns of it.
    passed.then(undefined, exonerate);
    return passed;
  };
}

/** One layer: calls the middleware, and stamps what it fails with. */
function wrap<Context>({ id, middleware }: Layer<Context>, inner: Onion<Context>): Onion<Context> {
  const blame = { plugin: id, member: 'middleware' };
  const onRejected = (failure: unknown) => stamp(failure, blame);
  return (ctx) => {
    let pending: Promise<void> | undefined;
    const next = () => {
      if (pending !== undefined) return Promise.reject(new Error(`The plugin ${id} called next() twice`));
      pending = inner(ctx);
      return pending;
    };
    let result: unknown;
    try {
      result = middleware(ctx, next, inner);
    } catch (failure) {
      stamp(failure, blame);
      return Promise.reject(failure);
    }
    // Plain JavaScript returns all sorts of things, and forgets to return the promise of next().
    if (!isPromise(result)) return pending ?? ANSWERED;
    // Runs before whoever awaits the result learns of the failure, so the innermost layer stamps first.
    result.then(undefined, onRejected);
    return result;
  };
}

function isPromise(value: unknown): value is Promise<void> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
