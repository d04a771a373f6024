import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { anchors, codeBlocks, markdownFiles, withoutCode } from './markdown.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

describe('the documents', () => {
  for (const file of markdownFiles(root)) {
    it(`${file} has no broken link`, () => {
      expect(brokenLinks(file)).to.deep.equal([]);
    });
  }

  it('number the decisions without a gap, each in one of the known states', () => {
    const decisions = markdownFiles(root).filter((file) => file.startsWith('docs/decisions/'));
    const numbers = decisions.map((file) => Number(/(\d{4})-[a-z0-9-]+\.md$/.exec(file)?.[1]));
    expect(numbers).to.deep.equal(numbers.map((_, index) => index + 1));
    for (const file of decisions) {
      expect(read(file), file).to.match(/^# \d{4}: .+\n\nStatus: (?:accepted|superseded by \d{4})\n/);
      for (const heading of ['Context', 'Decision', 'Consequences']) {
        expect(read(file), file).to.match(new RegExp(`^## ${heading}$`, 'm'));
      }
    }
  });

  it('show the plugin of the guide as it is tested', () => {
    const guide = codeBlocks(read('docs/guides/plugins.md'), 'ts').map(withoutPaths);
    expect(guide).to.include(withoutPaths(read('config/examples/plugins/read-only/index.ts')));
    expect(guide).to.include(withoutPaths(read('test/docs/read-only.test.ts')));
  });
});

function brokenLinks(file: string): string[] {
  const links = [...withoutCode(read(file)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [target = '', anchor] = link.split('#');
    const linked = target === '' ? file : path.posix.join(path.posix.dirname(file), target);
    if (!existsSync(path.join(root, linked))) return true;
    return anchor !== undefined && !anchors(read(linked)).includes(anchor);
  });
}

/** Code whose imports do not depend on where the file is. */
function withoutPaths(code: string): string {
  return code.replace(/from '(?:\.\.?\/)+(?:[\w-]+\/)*([\w-]+(?:\/index)?\.js)'/g, "from '…/$1'").trim();
}
