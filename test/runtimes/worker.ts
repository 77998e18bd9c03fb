/** Runs the suite in workerd, for one request. */
import { runSuite } from './suite.ts';

interface Env {
  readonly BRIDGE_URL: string;
  readonly BRIDGE_SECRET: string;
  readonly CONTROL_URL: string;
}

const worker = {
  fetch: async (_: Request, env: Env): Promise<Response> =>
    Response.json(
      await runSuite({
        bridgeUrl: env.BRIDGE_URL,
        bridgeSecret: env.BRIDGE_SECRET,
        controlUrl: env.CONTROL_URL,
      }),
    ),
};

// Workers are default exports.
// oxlint-disable-next-line import/no-default-export
export default worker;
