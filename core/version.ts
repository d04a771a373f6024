import { existsSync, readFileSync } from 'node:fs';

/** The version of this package, from its package.json: beside `core/` in a checkout, beside `dist/` once built. */
export function gatewayVersion(): string {
  const nearest = new URL('../package.json', import.meta.url);
  const file = existsSync(nearest) ? nearest : new URL('../../package.json', import.meta.url);
  const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof manifest !== 'object' || manifest === null || !('version' in manifest)) return '0.0.0';
  return String(manifest.version);
}
