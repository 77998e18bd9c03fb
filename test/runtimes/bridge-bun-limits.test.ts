import { testLimits } from '../failover/bridge-limits.scenarios.ts';
import { requireBun } from '../support/runtimes.ts';

testLimits('on Bun', requireBun());
