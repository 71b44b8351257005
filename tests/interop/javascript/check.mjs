// Compares each line of JSON in a bundle with its canonical form by the package `canonicalize`.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import canonicalize from 'canonicalize';

const tool = 'canonicalize';
const { version } = JSON.parse(readFileSync(`node_modules/${tool}/package.json`, 'utf8'));
const data = join(process.argv[2], 'data');

// The verifiers' table is written for people, one rule a line.
const names = readdirSync(data).filter((name) => /\.jsonl?$/.test(name) && name !== 'rules.json');
let count = 0;
for (const name of names) {
  for (const line of readFileSync(join(data, name), 'utf8').split('\n').slice(0, -1)) {
    if (canonicalize(JSON.parse(line)) !== line) throw new Error(`${name}: ${line}`);
    count += 1;
  }
}
const what = 'gives each event, command and other line of JSON the bytes that are recorded';
console.log(JSON.stringify({ tool, version, what, count }));
