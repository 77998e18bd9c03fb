import { startEmbeddedNode } from '../../packages/bridge/src/embedded-node.ts';
import { startMemcached } from '../support/memcached.ts';
import { testMemcachedNode } from './memcached-node.conformance.ts';

testMemcachedNode('a node on memcached', () => startMemcached());

testMemcachedNode('a node on the embedded node', async () => {
  const node = await startEmbeddedNode();
  return { host: node.host, port: node.port, [Symbol.asyncDispose]: () => node.close() };
});
