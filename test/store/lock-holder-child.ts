/** Holds the file of the lock for a while as the word says, then gives it back: somebody who is held up in the middle. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const [dir, how, ms] = process.argv.slice(2) as [string, 'IMMEDIATE' | 'EXCLUSIVE', string];

const db = new DatabaseSync(join(dir, 'gateway.lock'));
db.exec(`BEGIN ${how}`);
process.stdout.write('holds\n');
setTimeout(() => db.close(), Number(ms));
