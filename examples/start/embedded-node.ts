/** A memcached node in a process of its own, for machines without memcached: `node embedded-node.ts PORT`. */
import { startEmbeddedNode } from '@memsession/bridge';

await startEmbeddedNode({ port: Number(process.argv[2]) });
