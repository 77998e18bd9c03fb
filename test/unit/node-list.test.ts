import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  findRenumbering,
  type NodeList,
  parseNodeAddresses,
  parseNodeLines,
  parseNodesFile,
} from '../../packages/bridge/src/node-list.ts';

test('addresses may be names, IPv4 and IPv6, with and without a port', () => {
  assert.deepEqual(list(parseNodeAddresses('cache-0.local:11212, 10.0.0.7,[fe80::1]:11213')), [
    { index: 0, host: 'cache-0.local', port: 11212, state: 'active' },
    { index: 1, host: '10.0.0.7', port: 11211, state: 'active' },
    { index: 2, host: 'fe80::1', port: 11213, state: 'active' },
  ]);
});

test('a file has a node a line, and lines for what is drained and gone', () => {
  const nodes = list(parseNodesFile('# three\na:1\n\nb:2 drain # soon gone\nremoved\n'));
  assert.deepEqual(
    nodes.map(({ index, state }) => [index, state]),
    [
      [0, 'active'],
      [1, 'draining'],
      [2, 'removed'],
    ],
  );
});

test('every problem is named with its line', () => {
  const parsed = parseNodesFile('a:1\nb:99999\nc:1 later\n\nx y z\na:1\n');
  assert.equal(parsed.ok, false);
  if (parsed.ok) return;
  assert.deepEqual(
    parsed.problems.map((problem) => problem.split(':')[0]),
    ['line 2', 'line 3', 'line 5', 'line 6'],
  );
});

test('an empty list and one with nobody left are refused', () => {
  for (const text of ['', '\n# nobody\n', 'removed\n']) assert.equal(parseNodesFile(text).ok, false, text);
});

test('one address in two spellings is one node', () => {
  for (const [one, other] of [
    ['Cache-0.local:1', 'cache-0.LOCAL:1'],
    ['[::1]', '[0:0:0:0:0:0:0:1]:11211'],
    ['[FD00::4]:7', '[fd00:0:0::0004]:07'],
    ['10.0.0.1:011211', '10.0.0.1'],
  ])
    assert.equal(parseNodesFile(`${one}\n${other}`).ok, false, `${one} ${other}`);
});

test('a state that is misspelt is not taken for the name of a host', () => {
  for (const word of ['Removed', 'remove', 'REMOVED', 'drain', 'drained', 'draining', 'active', 'Drain'])
    assert.equal(parseNodesFile(`a:1\n${word}`).ok, false, word);
  for (const zone of ['[1::2::3]', '[::1', '[a]', '[1.2.3.4]'])
    assert.equal(parseNodesFile(`a:1\n${zone}`).ok, false, zone);
  assert.ok(parseNodesFile('a:1\nactive:11211\n[fe80::1%eth0]').ok);
});

test('of entries that are given one by one, each is one node', () => {
  for (const text of ['', ' ', '# a comment', 'b:2\nc:3', 'b:2\r\nc:3', 'b:2 # the second'])
    assert.equal(parseNodeLines(['a:1', text, 'd:4']).ok, false, JSON.stringify(text));
  const nodes = list(parseNodeLines(['a:1', ' b:2 drain ', 'removed', 'd:4']));
  assert.deepEqual(
    nodes.map(({ index, state }) => [index, state]),
    [
      [0, 'active'],
      [1, 'draining'],
      [2, 'removed'],
      [3, 'active'],
    ],
  );
});

test('nodes may be appended, drained, removed and moved to another address', () => {
  const current = list(parseNodesFile('a:1\nb:2\n'));
  for (const next of ['a:1\nb:2\nc:3', 'a:1 drain\nb:2', 'a:1\nremoved', 'a:9\nb:2']) {
    assert.deepEqual(findRenumbering(current, list(parseNodesFile(next))), [], next);
  }
});

test('what would let refs point to other nodes is refused', () => {
  const current = list(parseNodesFile('a:1\nb:2\nremoved\n'));
  for (const next of ['b:2\na:1\nremoved', 'a:1\nb:2', 'a:1\nb:2\nc:3', 'a:1']) {
    assert.notDeepEqual(findRenumbering(current, list(parseNodesFile(next))), [], next);
  }
});

test('a node that is out of its place in a file is named with its line', () => {
  const current = list(parseNodesFile('a:1\nb:2\nremoved\n'));
  const next = parseNodesFile('# the nodes\nb:2\n\na:1\nc:3\n');
  assert.ok(next.ok);
  const problems = findRenumbering(current, next.nodes, next.places);
  assert.deepEqual(
    problems.map((problem) => problem.split(':')[0]),
    ['line 2', 'line 4', 'line 5'],
  );
});

function list(parsed: ReturnType<typeof parseNodesFile>): NodeList {
  assert.ok(parsed.ok);
  return parsed.nodes;
}
