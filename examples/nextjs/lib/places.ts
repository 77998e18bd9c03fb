/** The places in Next.js where a session is used; each has a page of its own. */

export interface PlaceRow {
  readonly path: string;
  readonly name: string;
  readonly read: string;
  readonly write: string;
}

export const PLACES: readonly PlaceRow[] = [
  {
    path: '/places/route-handler',
    name: 'Route handler',
    read: 'getSession(request)',
    write: 'save(), or withSession()',
  },
  {
    path: '/places/server-action',
    name: 'Server action',
    read: 'getSession()',
    write: 'save(), or withSession()',
  },
  {
    path: '/places/server-component',
    name: 'Server component',
    read: 'getSession()',
    write: 'refused, with advice',
  },
  {
    path: '/places/proxy',
    name: 'proxy.ts',
    read: 'getSession(request)',
    write: 'sessionProxy() renews the cookies',
  },
  { path: '/places/pages-router', name: 'Pages Router', read: 'getSession(req, res)', write: 'save()' },
  {
    path: '/places/stream',
    name: 'Streamed answer',
    read: 'before the stream',
    write: 'save(); the cookies are fixed before',
  },
];
