import { expect } from 'chai';
import { createLog } from '../../../core/log/logger.js';

function lines(level: Parameters<typeof createLog>[0]['level'] = 'INFO', pretty = false) {
  const written: string[] = [];
  const log = createLog({ level, pretty, write: (line) => written.push(line) });
  const parsed = () => written.map((line): Record<string, unknown> => JSON.parse(line));
  return { ...log, written, parsed };
}

describe('createLog', () => {
  it('writes the requirements’ fields', () => {
    const { logger, parsed } = lines();
    logger.child({ plugin: 'p' }).warn({ a: 1 }, 'text');
    const [line] = parsed();
    expect(Object.keys(line ?? {})).to.deep.equal(['level', 'timestamp', 'logger', 'plugin', 'a', 'message']);
    expect(line).to.include({ level: 'WARNING', logger: 'api-gateway', plugin: 'p', a: 1, message: 'text' });
    expect(line?.timestamp).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('hides secrets by their names, at any depth and in any case', () => {
    const { logger, written, parsed } = lines();
    const headers = { Authorization: 'Bearer s3cr3t', accept: '*/*' };
    logger
      .child({ token: 's3cr3t' })
      .info({ password: 's3cr3t', req: { headers, list: [{ key: 's3cr3t' }] } }, 'm');
    expect(written.join('')).not.to.contain('s3cr3t');
    expect(parsed()[0]).to.deep.include({
      token: '[redacted]',
      password: '[redacted]',
      req: { headers: { Authorization: '[redacted]', accept: '*/*' }, list: [{ key: '[redacted]' }] },
    });
    expect(headers.Authorization).to.equal('Bearer s3cr3t');
  });

  it('hides secrets that an error carries, and survives circles', () => {
    const { logger, written, parsed } = lines();
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const err = Object.assign(new Error('broken'), { authorization: 's3cr3t', options: { token: 's3cr3t' } });
    logger.error({ err, circle }, 'm');
    logger.error({ err: 'no error' }, 'm');
    expect(written.join('')).not.to.contain('s3cr3t');
    expect(parsed()[0]?.err).to.include({ type: 'Error', message: 'broken' });
    expect(parsed()[1]?.err).to.equal('no error');
  });

  it('leaves alone what is no secret', () => {
    const { logger, parsed } = lines();
    const when = new Date(0);
    const fields = { when, list: [1, 'a'], none: null, missing: undefined, nested: { keys: 2 } };
    logger.info(fields, 'm');
    expect(parsed()[0]).to.deep.include({
      when: when.toISOString(),
      list: [1, 'a'],
      none: null,
      nested: { keys: 2 },
    });
  });

  it('changes the level of the children too', () => {
    const { logger, setLevel, written } = lines('WARNING');
    const child = logger.child({ plugin: 'p' });
    child.info({}, 'hidden');
    expect(child.lines?.writes('INFO')).to.equal(false);
    setLevel('DEBUG');
    child.debug({}, 'shown');
    expect(child.lines?.writes('INFO')).to.equal(true);
    expect(written).to.have.length(1);
    setLevel('CRITICAL');
    child.error({}, 'hidden');
    child.fatal({}, 'shown');
    expect(written).to.have.length(2);
  });

  it('takes complete lines, and makes them pretty where it does so with its own', () => {
    const plain = lines();
    plain.logger.lines?.write('{"level":"INFO","message":"ready-made"}\n');
    expect(plain.written).to.deep.equal(['{"level":"INFO","message":"ready-made"}\n']);
    const pretty = lines('INFO', true);
    pretty.logger.lines?.write('{"level":"INFO","message":"ready-made","path":"/x"}\n');
    expect(pretty.written.join(''))
      .to.match(/INFO.*ready-made.*"path":"\/x"/)
      .and.not.to.contain('{"level"');
  });
});
