import { Type } from 'typebox';
import { definePlugin } from '../../core/index.js';
import { SecurityHeaders } from './security-headers.js';

/** A field's value, printable ASCII; or false to leave the field alone. */
function field(initial: string | false, description: string) {
  return Type.Union([Type.String({ pattern: '^[!-~](?:[\\t -~]*[!-~])?$' }), Type.Literal(false)], {
    default: initial,
    description,
  });
}

export default definePlugin({
  name: 'security-headers',
  summary: 'Tells browsers to be strict, and does not tell anybody what software answers.',
  options: Type.Object({
    strictTransportSecurity: field(
      'max-age=31536000',
      '`Strict-Transport-Security` (RFC 6797); only over https.',
    ),
    contentTypeOptions: field('nosniff', '`X-Content-Type-Options`.'),
    frameOptions: field('DENY', '`X-Frame-Options` (RFC 7034).'),
    referrerPolicy: field('no-referrer', '`Referrer-Policy`.'),
    permissionsPolicy: field('camera=(), geolocation=(), microphone=()', '`Permissions-Policy`.'),
    contentSecurityPolicy: field(false, '`Content-Security-Policy`, for services that answer with pages.'),
    hideServer: Type.Boolean({
      default: true,
      description: 'Remove `Server`, `X-Powered-By` and the like from the upstream’s response.',
    }),
  }),
  plugin: SecurityHeaders,
});
