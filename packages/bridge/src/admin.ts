/** The operator's listener: API and metrics for programs, dashboard for people. */
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { secureHeaders } from 'hono/secure-headers';
import type { Logger } from 'pino';
import { AdminAccess } from './admin-access.ts';
import { createAdminApi, refuse } from './admin-api.ts';
import { sendTicks } from './admin-events.ts';
import { readAsset } from './assets.ts';
import type { Desk } from './desk.ts';
import { respondJson } from './http.ts';
import { describeApi } from './openapi.ts';
import { dashboardPage, docsPage, loginPage } from './pages.ts';
import type { Roster } from './roster.ts';

export interface AdminOptions {
  readonly desk: Desk;
  readonly roster: Roster;
  /** Any of them opens. */
  readonly tokens: readonly string[];
  /** Largest record, bytes. */
  readonly maxRecordBytes: number;
  /** Epoch milliseconds. */
  readonly wallClock: () => number;
  readonly log: Logger;
}

/** Sent to no other path than the dashboard's, since cookies know no ports. */
const COOKIE = 'memsession-operator';
const HOME = '/dashboard';
const LOGIN = `${HOME}/login`;
const MOST_FORM_BYTES = 8_192;

/** The listener's routes. Whatever is not public wants a token, or the cookie of a browser that gave one. */
export function createAdmin(options: AdminOptions): Hono {
  const { desk, roster, log } = options;
  const access = new AdminAccess(options);
  const app = new Hono();

  app.use(headers());
  app.get('/healthz', () => respondJson({ status: 'ok' }));
  app.get('/', (c) => c.redirect(HOME, 303));
  app.get('/assets/:name', (c) => readAsset(c.req.param('name'), c.req.header('if-none-match')));

  app.use('/metrics', forPrograms(access));
  app.get('/metrics', async (c) => {
    c.header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
    return c.body(await desk.formatMetrics());
  });
  app.use('/admin/*', forPrograms(access));
  app.route('/admin', createAdminApi({ desk, roster }));

  app.use(`${HOME}/*`, fromHereOnly());
  app.get(LOGIN, (c) => c.html(loginPage({ hasFailed: false })));
  app.post(LOGIN, (c) => logIn(c, access));
  app.use(HOME, forBrowsers(access));
  app.use(`${HOME}/*`, forBrowsers(access));
  app.get(HOME, (c) => c.html(dashboardPage()));
  app.post(`${HOME}/logout`, (c) => logOut(c, access));
  app.get(`${HOME}/docs`, (c) => c.html(docsPage(describeApi(options))));
  app.get(`${HOME}/events`, (c) => {
    const value = getCookie(c, COOKIE);
    return sendTicks(c, { desk, roster, isOpen: () => access.isOpen(value) });
  });
  app.route(`${HOME}/api`, createAdminApi({ desk, roster }));

  app.notFound(() => refuse('no_route', ['There is no such path.']));
  app.onError((error) => {
    log.error({ err: error }, "a request on the operator's listener failed on a defect");
    return respondJson({ error: { code: 'internal', message: 'A defect; the log has the details.' } }, 500);
  });
  return app;
}

function headers(): MiddlewareHandler {
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      connectSrc: ["'self'"],
      formAction: ["'self'"],
      baseUri: ["'none'"],
      frameAncestors: ["'none'"],
    },
    referrerPolicy: 'no-referrer',
    xFrameOptions: 'DENY',
    // The listener speaks plain HTTP on loopback; what is in front of it decides about this.
    strictTransportSecurity: false,
  });
}

function forPrograms(access: AdminAccess): MiddlewareHandler {
  return async (c, next) => {
    if (access.isAuthorized(c.req.header('authorization'))) return next();
    const response = refuse('unauthorized', ['Authorization: send "Bearer" and the ADMIN_TOKEN.']);
    response.headers.set('WWW-Authenticate', 'Bearer');
    return response;
  };
}

function forBrowsers(access: AdminAccess): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.path === LOGIN) return next();
    if (access.isOpen(getCookie(c, COOKIE))) {
      c.header('Cache-Control', 'no-store');
      return next();
    }
    if (c.req.path === HOME || c.req.path === `${HOME}/docs`) return c.redirect(LOGIN, 303);
    return refuse('unauthorized', ['Log in first.']);
  };
}

/** A page of another origin can send forms here, and the browser would add the cookie. */
function fromHereOnly(): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method === 'GET' || c.req.method === 'HEAD' || isFromHere(c)) return next();
    return refuse('forbidden', ['This was sent from another page.']);
  };
}

function isFromHere(c: Context): boolean {
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = c.req.header('origin');
  if (origin === undefined) return false;
  return URL.canParse(origin) && new URL(origin).host === c.req.header('host');
}

async function logIn(c: Context, access: AdminAccess): Promise<Response> {
  const isReadable = Number(c.req.header('content-length') ?? Number.NaN) <= MOST_FORM_BYTES;
  const form = isReadable ? new URLSearchParams(await c.req.text()) : new URLSearchParams();
  if (!access.isToken(form.get('token') ?? '')) return c.html(loginPage({ hasFailed: true }), 401);
  setCookie(c, COOKIE, access.open(), {
    httpOnly: true,
    sameSite: 'Strict',
    path: HOME,
    secure: c.req.header('x-forwarded-proto') === 'https',
  });
  return c.redirect(HOME, 303);
}

function logOut(c: Context, access: AdminAccess): Response {
  access.close(getCookie(c, COOKIE) ?? '');
  deleteCookie(c, COOKIE, { path: HOME });
  return c.redirect(LOGIN, 303);
}
