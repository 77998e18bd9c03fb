/** Next.js behind a custom server with express-session, whose sessions are in Redis, for comparison. */
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import next from 'next';
import { createClient } from 'redis';

const client = createClient({ url: process.env.REDIS_URL });
await client.connect();
const app = next({
  dev: false,
  dir: process.env.APP_FOLDER,
  hostname: '127.0.0.1',
  port: Number(process.env.PORT),
});
await app.prepare();
const handle = app.getRequestHandler();
const server = express();
server.disable('x-powered-by');
server.use(
  session({
    store: new RedisStore({ client }),
    secret: process.env.SESSION_SECRET,
    resave: false,
    saveUninitialized: false,
  }),
);
server.use((request, response) => handle(request, response));
server.listen(Number(process.env.PORT), '127.0.0.1');
