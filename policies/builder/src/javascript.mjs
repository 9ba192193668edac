// Makes a component of a guest: node build.mjs GUEST CONTRACT OUT
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { componentize } from '@bytecodealliance/componentize-js';

const [guest, contract, out] = process.argv.slice(2);
const { main } = JSON.parse(await readFile(join(guest, 'package.json'), 'utf8'));
if (typeof main !== 'string') {
  console.error('error: package.json has no "main", which names the file that exports the decisions');
  process.exit(1);
}
try {
  const { component } = await componentize({
    sourcePath: join(guest, main),
    witPath: contract,
    worldName: 'dns-policy',
    // Everything that would make the module import something.
    disableFeatures: ['stdio', 'random', 'clocks', 'http', 'fetch-event'],
  });
  await writeFile(out, component);
} catch (error) {
  console.error(`error: ${error.message ?? error}`);
  process.exit(1);
}
