import { expect } from 'chai';
import securityHeaders from '../../plugins/security-headers/index.js';
import { runPlugin } from '../support/plugin-kit.js';
import { startUpstream } from '../support/upstream.js';

const PATH = '/api/v1/demo/echo';
const trusting = { settings: { trustedProxies: ['127.0.0.1'] } };

describe('security-headers', () => {
  it('sets the usual fields', async () => {
    const { agent } = await runPlugin(securityHeaders);
    const { headers } = await agent.get(PATH).expect(200);
    expect(headers).to.include({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'permissions-policy': 'camera=(), geolocation=(), microphone=()',
    });
    expect(headers).not.to.have.any.keys('strict-transport-security', 'content-security-policy');
  });

  it('sends Strict-Transport-Security over https only', async () => {
    const { agent } = await runPlugin(securityHeaders, {}, trusting);
    const over = (scheme: string) => agent.get(PATH).set('X-Forwarded-Proto', scheme).expect(200);
    expect((await over('https')).headers).to.include({ 'strict-transport-security': 'max-age=31536000' });
    expect((await over('http')).headers).not.to.have.property('strict-transport-security');
  });

  it('takes other values, and leaves alone what is false', async () => {
    const options = {
      strictTransportSecurity: false,
      frameOptions: 'SAMEORIGIN',
      referrerPolicy: false,
      permissionsPolicy: false,
      contentSecurityPolicy: "default-src 'none'",
    };
    const { agent } = await runPlugin(securityHeaders, options, {
      ...trusting,
      upstream: (_req, res) =>
        res.writeHead(200, { 'Referrer-Policy': 'origin', 'X-Frame-Options': 'ALLOW' }).end(),
    });
    const { headers } = await agent.get(PATH).set('X-Forwarded-Proto', 'https').expect(200);
    expect(headers).to.include({
      'x-frame-options': 'SAMEORIGIN',
      'content-security-policy': "default-src 'none'",
      'referrer-policy': 'origin',
    });
    expect(headers).not.to.have.any.keys('strict-transport-security', 'permissions-policy');
  });

  it('does not tell which software the upstream runs, unless it may', async () => {
    const upstream = (_req: unknown, res: import('node:http').ServerResponse) =>
      res.writeHead(200, { Server: 'Apache/2.4.1', 'X-Powered-By': 'PHP/5.3' }).end();
    const hidden = await runPlugin(securityHeaders, {}, { upstream });
    expect((await hidden.agent.get(PATH).expect(200)).headers).not.to.have.any.keys('server', 'x-powered-by');
    const shown = await runPlugin(securityHeaders, { hideServer: false }, { upstream });
    expect((await shown.agent.get(PATH).expect(200)).headers).to.include({
      server: 'Apache/2.4.1',
      'x-powered-by': 'PHP/5.3',
    });
  });

  it('sets them on errors too', async () => {
    const gone = await startUpstream();
    await gone.close();
    const { agent } = await runPlugin(securityHeaders, {}, { service: { targets: [gone.url] } });
    const { headers, status } = await agent.get(PATH);
    expect(status).to.be.within(502, 503);
    expect(headers).to.include({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' });
  });

  it('does not start with a value that could not be a field', async () => {
    const error = await runPlugin(securityHeaders, { frameOptions: 'DENY\r\nSet-Cookie: a=b' }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(String(error)).to.contain('frameOptions');
  });
});
