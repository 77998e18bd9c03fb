import { buildFixtureOutside } from '../support/next-build.ts';
import { startSite } from '../support/site.ts';
import { testEdge } from './edge.scenarios.ts';

// The oldest that is supported; the other tests use the newest. Its build needs a compiler with an API.
const oldest = { next: '~15.5.0', react: '^19.0.0', 'react-dom': '^19.0.0', typescript: '^5.9.0' };

testEdge(await startSite(buildFixtureOutside('edge', oldest)));
