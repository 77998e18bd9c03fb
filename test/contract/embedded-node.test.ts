/** The embedded node answers, frame for frame, as memcached does. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { OPCODES, STATUSES } from '../../packages/bridge/src/binary-frames.ts';
import type { Frame, FrameParts } from '../../packages/bridge/src/binary-frames.ts';
import { startEmbeddedNode } from '../../packages/bridge/src/embedded-node.ts';
import type { EmbeddedNode } from '../../packages/bridge/src/embedded-node.ts';
import { startMemcached } from '../support/memcached.ts';
import type { Memcached } from '../support/memcached.ts';
import { RawClient } from '../support/raw-client.ts';

let memcached: Memcached;
let embedded: EmbeddedNode;
let real: RawClient;
let own: RawClient;

before(async () => {
  memcached = await startMemcached();
  embedded = await startEmbeddedNode();
  real = new RawClient(memcached.host, memcached.port);
  own = new RawClient(embedded.host, embedded.port);
});
after(async () => {
  real.close();
  own.close();
  await embedded.close();
  await memcached.kill();
});

const KEYS = ['abc', 'd', 'k'.repeat(250)];
/** Commands with the length of their extras. */
const COMMANDS = [
  [OPCODES.get, 0],
  [OPCODES.getQ, 0],
  [OPCODES.getK, 0],
  [OPCODES.getKQ, 0],
  [OPCODES.set, 8],
  [OPCODES.setQ, 8],
  [OPCODES.add, 8],
  [OPCODES.addQ, 8],
  [OPCODES.replace, 8],
  [OPCODES.replaceQ, 8],
  [OPCODES.delete, 0],
  [OPCODES.deleteQ, 0],
  [OPCODES.touch, 4],
  [OPCODES.gat, 4],
  [OPCODES.gatQ, 4],
  [OPCODES.gatK, 4],
  [OPCODES.gatKQ, 4],
] as const;
const STORING: readonly number[] = [
  OPCODES.set,
  OPCODES.setQ,
  OPCODES.add,
  OPCODES.addQ,
  OPCODES.replace,
  OPCODES.replaceQ,
];

const RENEWING: readonly number[] = [OPCODES.touch, OPCODES.gat, OPCODES.gatQ, OPCODES.gatK, OPCODES.gatKQ];

/** Which CAS number a request carries; the numbers themselves differ between the servers. */
type CasChoice = 'none' | 'current' | 'wrong';

interface Command {
  readonly opcode: number;
  readonly key: string;
  readonly extras: Buffer;
  readonly value: Buffer;
  readonly cas: CasChoice;
}

/** Lifetimes: none, a minute, beyond 30 days and therefore long ago, and the largest, which is in 2106. */
const ttl = fc.constantFrom(0, 60, 2_592_000, 2_592_001, 0xffff_ffff);

const command: fc.Arbitrary<Command> = fc
  .record({
    kind: fc.constantFrom(...COMMANDS),
    key: fc.constantFrom(...KEYS),
    flags: fc.constantFrom(0, 7, 0x8000_0000),
    ttl,
    text: fc.string({ maxLength: 40 }),
    cas: fc.constantFrom<CasChoice>('none', 'none', 'current', 'wrong'),
  })
  .map(({ kind: [opcode, extrasBytes], key, flags, ttl: ttlSeconds, text, cas }) => {
    const extras = Buffer.alloc(extrasBytes);
    if (extrasBytes === 8) extras.writeUInt32BE(flags, 0);
    if (extrasBytes >= 4) extras.writeUInt32BE(ttlSeconds, extrasBytes - 4);
    return { opcode, key, extras, value: Buffer.from(STORING.includes(opcode) ? text : ''), cas };
  });

/** Of an unknown command memcached skips key and extras twice, so that it waits for bytes that never come. */
const unknown: fc.Arbitrary<Command> = fc.record({
  opcode: fc.constantFrom(0x3f, 0xff),
  key: fc.constant(''),
  extras: fc.constant(Buffer.alloc(0)),
  value: fc.constantFrom('', 'value').map((text) => Buffer.from(text)),
  cas: fc.constant<CasChoice>('none'),
});

/**
 * Requests that break a rule: extras of any length, keys of any length, values where none belong. After a read
 * with a lifetime memcached takes such a value for the next header, and may close before it has answered.
 */
const malformed: fc.Arbitrary<Command> = fc
  .record({
    opcode: fc.constantFrom(
      ...COMMANDS.map(([opcode]) => opcode),
      OPCODES.noop,
      OPCODES.version,
      OPCODES.quit,
      OPCODES.quitQ,
      OPCODES.saslList,
    ),
    key: fc.constantFrom('', 'abc', 'k'.repeat(250), 'k'.repeat(251), 'k'.repeat(3_000)),
    extras: fc.constantFrom(0, 1, 4, 8, 12, 20).map((length) => Buffer.alloc(length)),
    value: fc.constantFrom('', 'value').map((text) => Buffer.from(text)),
    cas: fc.constant<CasChoice>('none'),
  })
  .filter(({ opcode, value }) => value.length === 0 || !RENEWING.includes(opcode));

test('any history of commands has the same answers as on memcached', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 25 }), async (commands) => {
      assert.deepEqual(await play(own, commands), await play(real, commands));
    }),
    { numRuns: 400 },
  );
});

test('a request that breaks the rules has the same answer and the same end as on memcached', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof({ weight: 9, arbitrary: malformed }, unknown), async (request) => {
      assert.deepEqual(await play(own, [request]), await play(real, [request]));
    }),
    { numRuns: 400 },
  );
});

test('an item of the largest size is taken, and one byte more deletes what is there', async () => {
  for (const client of [own, real]) {
    const set = (size: number): Promise<Outcome> => playOne(client, OPCODES.set, Buffer.alloc(size));
    const replace = (size: number): Promise<Outcome> => playOne(client, OPCODES.replace, Buffer.alloc(size));
    assert.equal((await set(1_048_514)).status, STATUSES.ok);
    assert.equal((await replace(1_048_515)).status, STATUSES.tooLarge);
    assert.equal((await playOne(client, OPCODES.get)).status, STATUSES.ok);
    assert.equal((await set(1_048_515)).status, STATUSES.tooLarge);
    assert.equal((await playOne(client, OPCODES.get)).status, STATUSES.notFound);
  }
});

test('a flush forgets all items and keeps counting CAS numbers', async () => {
  for (const client of [own, real]) {
    await playOne(client, OPCODES.set, Buffer.from('x'));
    const before = await casOf(client);
    await client.exchange([{ opcode: OPCODES.flush }]);
    assert.equal((await playOne(client, OPCODES.get)).status, STATUSES.notFound);
    await playOne(client, OPCODES.set, Buffer.from('x'));
    assert.ok((await casOf(client)) > before);
  }
});

test('the statistics are many frames with one opaque number, the last without a key', async () => {
  for (const client of [own, real]) {
    const { answers } = await client.exchange([{ opcode: OPCODES.stat, opaque: 77 }]);
    assert.ok(answers.length > 10);
    assert.ok(answers.every(({ opaque }) => opaque === 77));
    assert.equal(answers.at(-1)?.key.length, 0);
    const unknown = await client.exchange([{ opcode: OPCODES.stat, key: Buffer.from('nonsense') }]);
    assert.deepEqual(
      unknown.answers.map(({ status }) => status),
      [STATUSES.notFound],
    );
  }
});

test('every start has another process id, so that a restart is recognised', async () => {
  await using second = await disposable();
  assert.notEqual(second.node.pid, embedded.pid);
});

interface Outcome {
  readonly opcode: number;
  readonly status: number;
  readonly extras: string;
  readonly key: string;
  readonly value: string;
  /** Whether the number is the item's known one, a new one, or none. */
  readonly cas: 'none' | 'known' | 'new';
}

/** Plays commands one by one on empty keys, and tells what came back. */
async function play(client: RawClient, commands: readonly Command[]): Promise<unknown[]> {
  await client.exchange(KEYS.map((key) => ({ opcode: OPCODES.deleteQ, key: Buffer.from(key) })));
  const known = new Map<string, bigint>();
  const played: unknown[] = [];
  for (const each of commands) {
    const current = known.get(each.key) ?? 1n;
    const cas = each.cas === 'none' ? 0n : each.cas === 'current' ? current : current + 1_000_000n;
    const request: Omit<FrameParts, 'magic'> = { ...each, key: Buffer.from(each.key), cas, opaque: 42 };
    const { answers, isClosed } = await client.exchange([request]);
    played.push({ isClosed, answers: answers.map((answer) => describe(answer, known.get(each.key))) });
    // Asked for, because a quiet write does not tell its number.
    await learn(client, each.key, known);
  }
  return played;
}

async function learn(client: RawClient, key: string, known: Map<string, bigint>): Promise<void> {
  if (key.length === 0 || key.length > 250) return;
  const { answers } = await client.exchange([{ opcode: OPCODES.get, key: Buffer.from(key) }]);
  const [answer] = answers;
  if (answer?.status === STATUSES.ok) known.set(key, answer.cas);
  else known.delete(key);
}

async function playOne(client: RawClient, opcode: number, value?: Buffer): Promise<Outcome> {
  const stored = value === undefined ? {} : { value, extras: Buffer.alloc(8) };
  const { answers } = await client.exchange([{ opcode, key: Buffer.from('abc'), ...stored }]);
  const [answer] = answers;
  assert.ok(answer);
  return describe(answer, undefined);
}

async function casOf(client: RawClient): Promise<bigint> {
  const { answers } = await client.exchange([{ opcode: OPCODES.get, key: Buffer.from('abc') }]);
  return answers[0]?.cas ?? 0n;
}

function describe({ opcode, status, extras, key, value, cas }: Frame, known: bigint | undefined): Outcome {
  const isVersion = opcode === OPCODES.version && status === STATUSES.ok;
  return {
    opcode,
    status,
    extras: extras.toString('hex'),
    key: key.toString('latin1'),
    value: isVersion ? '' : value.toString('latin1'),
    cas: cas === 0n ? 'none' : cas === known ? 'known' : 'new',
  };
}

async function disposable(): Promise<{ node: EmbeddedNode; [Symbol.asyncDispose](): Promise<void> }> {
  const node = await startEmbeddedNode();
  return { node, [Symbol.asyncDispose]: () => node.close() };
}
