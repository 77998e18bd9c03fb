/** Random histories on a few keys of a node, compared with a plain map. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { MemcachedNode, NewItem } from '../../packages/bridge/src/node.ts';

type Step = readonly [
  kind: 'gets' | 'add' | 'cas' | 'touch' | 'delete',
  key: string,
  isCurrent: boolean,
  text: string,
];

/** Registers the test; the node is asked for when it runs. */
export function testAgainstModel(node: () => MemcachedNode): void {
  const step = fc.tuple(
    fc.constantFrom('gets', 'add', 'cas', 'touch', 'delete'),
    fc.constantFrom('m1', 'm2', 'm3'),
    fc.boolean(),
    fc.string({ maxLength: 20 }),
  );

  test('any history of reads and writes is that of a map with compare-and-swap', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        for (const key of ['m1', 'm2', 'm3']) await node().delete(key);
        const model = new Map<string, { value: string; cas: bigint }>();
        for (const each of steps) await runStep(node(), model, each);
      }),
      { numRuns: 60 },
    );
  });
}

async function runStep(
  node: MemcachedNode,
  model: Map<string, { value: string; cas: bigint }>,
  [kind, key, isCurrent, text]: Step,
): Promise<void> {
  const known = model.get(key);
  const expected = known === undefined ? 1n : isCurrent ? known.cas : known.cas + 1_000_000n;
  if (kind === 'gets') {
    const found = await node.gets(key);
    assert.equal(found?.value.toString(), known?.value);
    assert.equal(found?.cas, known?.cas);
  } else if (kind === 'touch') {
    assert.equal((await node.touch(key, 60))?.cas, known?.cas);
  } else if (kind === 'delete') {
    const isDeleted = await node.delete(key, isCurrent ? undefined : expected);
    assert.equal(isDeleted, known !== undefined && isCurrent);
    if (isDeleted) model.delete(key);
  } else {
    const isAdd = kind === 'add';
    const outcome = isAdd ? await node.add(key, item(1, text)) : await node.cas(key, item(1, text), expected);
    assert.equal(outcome.stored, isAdd ? known === undefined : known !== undefined && isCurrent);
    if (outcome.stored) model.set(key, { value: text, cas: outcome.cas });
    else assert.equal(outcome.reason, known === undefined ? 'absent' : 'exists');
  }
}

function item(version: number, text: string): NewItem {
  return { version, value: Buffer.from(text), ttlSeconds: 60 };
}
