import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { catalogue } from '../../plugins/index.js';
import { openApiDescription } from './admin-description.js';
import { generatedFiles } from './generated-files.js';

// `npm run generate`: writes every file that is made from the code. An entry point, like main.ts.
const root = fileURLToPath(new URL('../../', import.meta.url));
const files = await generatedFiles(root, catalogue, await openApiDescription());
for (const file of files) {
  const target = path.join(root, file.path);
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, file.content);
  process.stdout.write(`${file.path}\n`);
}
