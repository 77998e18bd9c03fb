/** Runs the suite in Node, Bun and Deno: the verdicts are one line of JSON, and then the process ends by itself. */
import { runSuite } from './suite.ts';

const { BRIDGE_URL = '', BRIDGE_SECRET = '', CONTROL_URL = '' } = process.env;
const verdicts = await runSuite({
  bridgeUrl: BRIDGE_URL,
  bridgeSecret: BRIDGE_SECRET,
  controlUrl: CONTROL_URL,
});
console.log(JSON.stringify(verdicts));
