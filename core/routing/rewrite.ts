/** Makes the upstream path out of the parameters of a match. */
export type Rewrite = (params: Readonly<Record<string, string>>) => string;

/**
 * Compiles a rewrite such as `/api/v1/quotes/:symbol` or `/files/*`. Parameters are put in as they were matched,
 * still percent-encoded, so that a value can never add a segment or a query.
 */
export function compileRewrite(template: string): Rewrite {
  const parts = template.split('/').map((segment) => {
    if (segment === '*') return { literal: '', name: '*' };
    return segment.startsWith(':') ? { literal: '', name: segment.slice(1) } : { literal: segment, name: '' };
  });
  if (parts.every((part) => part.name === '')) return () => template;
  return (params) => {
    let path = '';
    for (const [index, part] of parts.entries()) {
      if (index > 0) path += '/';
      path += part.name === '' ? part.literal : (params[part.name] ?? '');
    }
    return path;
  };
}
