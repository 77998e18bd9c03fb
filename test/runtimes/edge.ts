/** Runs the suite in the Edge runtime's VM, which gives a program nothing but web standards. */
import { readFileSync } from 'node:fs';
import { EdgeVM } from '@edge-runtime/vm';

const { BRIDGE_URL = '', BRIDGE_SECRET = '', CONTROL_URL = '', BUNDLE = '' } = process.env;
const vm = new EdgeVM();
vm.evaluate(readFileSync(BUNDLE, 'utf8'));
const settings = { bridgeUrl: BRIDGE_URL, bridgeSecret: BRIDGE_SECRET, controlUrl: CONTROL_URL };
const verdicts: unknown = await vm.evaluate(`bundle.runSuite(${JSON.stringify(settings)})`);
console.log(JSON.stringify(verdicts));
