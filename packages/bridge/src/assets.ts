/** The files that the dashboard's pages are made of, all from this package and its dependencies. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

interface Asset {
  readonly url: URL;
  readonly type: string;
}

const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';

/** Both the sources and what is built from them stand one folder below the package's own. */
const here = (path: string): URL => new URL(`../${path}`, import.meta.url);
const compiled = (name: string): [string, Asset] => [
  name,
  { url: here(`dist/dashboard/${name}`), type: SCRIPT },
];

const ASSETS: ReadonlyMap<string, Asset> = new Map([
  ['pages.css', { url: here('assets/pages.css'), type: STYLE }],
  ['icon.svg', { url: here('assets/icon.svg'), type: 'image/svg+xml' }],
  ['uplot.js', { url: new URL(import.meta.resolve('uplot/dist/uPlot.esm.js')), type: SCRIPT }],
  ['uplot.css', { url: new URL(import.meta.resolve('uplot/dist/uPlot.min.css')), type: STYLE }],
  ...[
    'main.js',
    'nodes.js',
    'plot.js',
    'plots.js',
    'incidents.js',
    'format.js',
    'actions.js',
    'elements.js',
  ].map(compiled),
]);

const cache = new Map<string, { readonly bytes: Uint8Array<ArrayBuffer>; readonly etag: string }>();

/** The answer with a file; 404 for any other name. */
export async function readAsset(name: string, knownEtag: string | undefined): Promise<Response> {
  const asset = ASSETS.get(name);
  if (asset === undefined) return new Response(null, { status: 404 });
  const { bytes, etag } = cache.get(name) ?? (await load(name, asset));
  const headers = { 'Content-Type': asset.type, 'Cache-Control': 'no-cache', ETag: etag };
  if (knownEtag === etag) return new Response(null, { status: 304, headers });
  return new Response(bytes, { headers });
}

async function load(name: string, { url }: Asset): Promise<{ bytes: Uint8Array<ArrayBuffer>; etag: string }> {
  const bytes = new Uint8Array(await readFile(fileURLToPath(url)));
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 16)}"`;
  const loaded = { bytes, etag };
  cache.set(name, loaded);
  return loaded;
}
