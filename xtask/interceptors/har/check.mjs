// Checks an archive against the schema of HAR 1.2, and tells how many of its entries have a URL with that word in it.
import fs from 'node:fs';
import validator from '@har-sdk/validator';

const [file, word] = process.argv.slice(2);
const archive = JSON.parse(fs.readFileSync(file, 'utf8'));
const errors = await new validator.HarValidator().verify(archive, {});
if (archive.log.version !== '1.2' || errors.length > 0) {
  console.error(`version ${archive.log.version}`, errors.slice(0, 10));
  process.exit(1);
}
console.log(archive.log.entries.filter((entry) => entry.request.url.includes(word)).length);
