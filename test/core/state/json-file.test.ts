import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DamagedFileError, JsonFile } from '../../../core/state/json-file.js';

interface Numbers {
  numbers: number[];
}

describe('JsonFile', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'json-file-'));
    path = join(directory, 'state', 'numbers.json');
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  function fileOf(): JsonFile<Numbers> {
    return new JsonFile<Numbers>({
      path,
      purpose: 'the numbers',
      version: 3,
      parse: ({ numbers }) => {
        if (!Array.isArray(numbers)) throw new Error('it has no numbers');
        return { numbers };
      },
    });
  }

  it('reads what was written, and undefined before that', async () => {
    expect(await fileOf().read()).to.equal(undefined);
    await fileOf().write({ numbers: [1, 2] });
    expect(await fileOf().read()).to.deep.equal({ numbers: [1, 2] });
  });

  it('lets only the owner read file and directory', async () => {
    await fileOf().write({ numbers: [] });
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    expect((await stat(join(directory, 'state'))).mode & 0o777).to.equal(0o700);
  });

  it('writes one after the other; the last one stays', async () => {
    const file = fileOf();
    await Promise.all(Array.from({ length: 30 }, (_, index) => file.write({ numbers: [index] })));
    expect(await file.read()).to.deep.equal({ numbers: [29] });
    expect(await readdir(join(directory, 'state'))).to.deep.equal(['numbers.json']);
  });

  it('keeps the old content, and leaves nothing behind, when a write fails; later ones succeed', async () => {
    const file = fileOf();
    await mkdir(path, { recursive: true });
    const failure = await file.write({ numbers: [1] }).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
    expect(failure).to.be.oneOf(['EISDIR', 'ENOTEMPTY', 'EPERM']);
    expect(await readdir(join(directory, 'state'))).to.deep.equal(['numbers.json']);
    await rm(path, { recursive: true });
    await file.write({ numbers: [2] });
    expect(await file.read()).to.deep.equal({ numbers: [2] });
  });

  for (const [what, text, reason] of [
    ['is empty', '', 'it is not valid JSON'],
    ['was cut off', '{"version":3,"numbers":[1', 'it is not valid JSON'],
    ['holds no object', '[]', 'it does not hold an object'],
    ['has no version', '{"numbers":[]}', 'its version is none, expected 3'],
    ['has a newer version', '{"version":4,"numbers":[]}', 'its version is 4, expected 3'],
    ['is refused by its reader', '{"version":3}', 'it has no numbers'],
  ] as const) {
    it(`names the file, the reason and the way out when it ${what}, and does not touch it`, async () => {
      await mkdir(join(directory, 'state'));
      await writeFile(path, text);
      const error = await fileOf()
        .read()
        .catch((error: unknown) => error);
      expect(error).to.be.instanceOf(DamagedFileError);
      expect((error as Error).message).to.equal(
        `The file '${path}' with the numbers cannot be used: ${reason}. ` +
          'Repair it, restore it from a backup, or move it away to start without what it holds.',
      );
      expect(await readFile(path, 'utf8')).to.equal(text);
    });
  }

  it('cleans up after a crashed write, and leaves files of others alone', async () => {
    const state = join(directory, 'state');
    await mkdir(state);
    const own = `.numbers.json.${process.pid}.0a1b.tmp`;
    const dead = '.numbers.json.999999999.0a1b.tmp';
    const alive = `.numbers.json.${process.ppid}.0a1b.tmp`;
    const others = [alive, '.other.json.999999999.0a1b.tmp', '.numbers.json.tmp', 'numbers.json.bak'];
    for (const name of [own, dead, ...others]) await writeFile(join(state, name), 'x');
    expect(await fileOf().read()).to.equal(undefined);
    expect((await readdir(state)).sort()).to.deep.equal(others.sort());
  });
});
