/** Tries for the lock; says `owner` and holds it until it is told to stop, or says who holds it and ends. */
import { acquireLock } from '../../src/store/index.ts';

const [dir] = process.argv.slice(2) as [string];
const owner = { pid: process.pid, startedAt: Date.now(), version: '0.1.0', hostname: 'here', port: 4_321 };

try {
  const lock = acquireLock({ dir, owner });
  process.stdout.write('owner\n');
  const hold = setInterval(() => {}, 1_000);
  process.on('SIGTERM', () => {
    clearInterval(hold);
    lock.release();
  });
} catch (error) {
  const { code, details } = error as { code: string; details: { pid: number } };
  process.stdout.write(`${code} ${details.pid}\n`);
}
