import { stamp } from './blame.js';

/** A plugin's middleware. */
export interface Layer<Context> {
  /** The id of the plugin instance. */
  readonly id: string;
  readonly middleware: (ctx: Context, next: () => Promise<void>) => Promise<void> | void;
}

/** Middleware that was composed, with what is in its middle. */
export type Onion<Context> = (ctx: Context) => Promise<void>;

/**
 * Composes middleware once, so that a request only walks through it.
 *
 * @param layers the outermost first
 */
export function compose<Context>(layers: readonly Layer<Context>[], centre: Onion<Context>): Onion<Context> {
  return layers.reduceRight((inner, layer) => wrap(layer, inner), centre);
}

/** One layer: calls the middleware, and stamps what it fails with. */
function wrap<Context>({ id, middleware }: Layer<Context>, inner: Onion<Context>): Onion<Context> {
  const blame = { plugin: id, member: 'middleware' };
  const onRejected = (failure: unknown) => stamp(failure, blame);
  return (ctx) => {
    let called = false;
    const next = () => {
      if (called) return Promise.reject(new Error(`The plugin ${id} called next() twice`));
      called = true;
      return inner(ctx);
    };
    let result: Promise<void> | void;
    try {
      result = middleware(ctx, next);
    } catch (failure) {
      stamp(failure, blame);
      return Promise.reject(failure);
    }
    if (result === undefined) return Promise.resolve();
    // Runs before whoever awaits the result learns of the failure, so the innermost layer stamps first.
    result.then(undefined, onRejected);
    return result;
  };
}
