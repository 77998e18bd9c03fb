import { buildFixture } from '../support/next-build.ts';
import { startSite } from '../support/site.ts';
import { testEdge } from './edge.scenarios.ts';

testEdge(await startSite(buildFixture('edge', { bundler: 'webpack' })));
