import { testLimits } from './bridge-limits.scenarios.ts';

testLimits('on Node');
