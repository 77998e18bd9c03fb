import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import { pino } from 'pino';
import { WatchedFile } from '../../packages/bridge/src/watched-file.ts';
import { FakeClock } from '../support/fake-clock.ts';

interface Watching {
  readonly clock: FakeClock;
  readonly file: WatchedFile;
  readonly taken: string[];
  text: string | Error;
}

function watch(): Watching {
  const clock = new FakeClock();
  const taken: string[] = [];
  const watching: { text: string | Error } = { text: 'first' };
  const file = new WatchedFile({
    what: 'list',
    path: '/some/where',
    clock,
    readFile: async () => {
      if (watching.text instanceof Error) throw watching.text;
      return watching.text;
    },
    take: (text) => {
      if (text.includes('wrong')) return ['it is wrong'];
      taken.push(text);
      return [];
    },
    log: pino({ level: 'silent' }),
  });
  return Object.assign(watching, { clock, file, taken });
}

async function pass(clock: FakeClock, ms: number): Promise<void> {
  await clock.advance(ms);
  await setImmediate();
}

test('a change of the file is in force half a second later', async () => {
  const watching = watch();
  await pass(watching.clock, 500);
  watching.text = 'second';
  await pass(watching.clock, 500);
  assert.deepEqual(watching.taken, ['first', 'second']);
  await pass(watching.clock, 500);
  assert.deepEqual(watching.taken, ['first', 'second'], 'what did not change is not taken again');
  watching.file.stop();
});

test('a file that is wrong or gone leaves the last good state, and says so until it is right', async () => {
  const watching = watch();
  await pass(watching.clock, 500);
  watching.text = 'wrong';
  await pass(watching.clock, 500);
  assert.deepEqual([watching.taken, watching.file.problems], [['first'], ['it is wrong']]);
  watching.text = new Error('ENOENT');
  await pass(watching.clock, 500);
  assert.deepEqual(watching.file.problems, ['it cannot be read: ENOENT']);
  watching.text = 'first';
  await pass(watching.clock, 500);
  assert.deepEqual([watching.taken.at(-1), watching.file.problems], ['first', []]);
  watching.file.stop();
  watching.text = 'third';
  await pass(watching.clock, 5_000);
  assert.ok(!watching.taken.includes('third'), 'it is not read after it was stopped');
});

test('of two looks at the file the later one counts, whichever is read first', async () => {
  const answers: ((text: string) => void)[] = [];
  const taken: string[] = [];
  const file = new WatchedFile({
    what: 'list',
    path: '/some/where',
    clock: new FakeClock(),
    readFile: () => new Promise((resolve) => answers.push(resolve)),
    take: (text) => {
      taken.push(text);
      return [];
    },
    log: pino({ level: 'silent' }),
  });
  const looks = [file.reload(), file.reload()];
  answers[1]?.('with the secret taken out');
  await setImmediate();
  answers[0]?.('with the secret');
  await Promise.all(looks);
  assert.deepEqual(taken, ['with the secret taken out']);
  file.stop();
});
