/** Hono that answers "ok", on Node or on Bun, for comparison. */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

const app = new Hono();
app.get('/', (c) => c.text('ok'));
const port = Number(process.env.PORT);
if (globalThis.Bun === undefined) serve({ fetch: app.fetch, port, hostname: '127.0.0.1' });
else globalThis.Bun.serve({ fetch: app.fetch, port, hostname: '127.0.0.1' });
