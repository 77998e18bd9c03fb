/** `npm run build`: the packages are built before any script runs, so what is left is the example app. */
import { buildAppWhenStale } from '../examples/start/app-build.ts';

const failure = buildAppWhenStale(() => console.log('Building the example app …'));
if (failure !== null) console.error(failure);
process.exit(failure === null ? 0 : 1);
