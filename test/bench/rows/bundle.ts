/** How large the client is where it must be sent to: bundled, minified, gzipped. */
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { compare, type Line } from '../line.ts';
import { requirePeer } from '../peers.ts';
import type { Row } from '../row.ts';

/** What is used of esbuild, which is installed only with the peers. */
interface Esbuild {
  build(options: Readonly<Record<string, unknown>>): Promise<{
    readonly outputFiles: readonly { readonly contents: Uint8Array }[];
  }>;
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

async function measure(): Promise<Line[]> {
  const manifest = requirePeer('package.json');
  const peers = createRequire(manifest);
  // A package that the compiler cannot see; its interface is checked by using it.
  const esbuild = (await import(pathToFileURL(peers.resolve('esbuild')).href)) as Esbuild;
  const sizeOf = async (entry: string, folder: string): Promise<number> => {
    const { outputFiles } = await esbuild.build({
      stdin: { contents: `export * from ${JSON.stringify(entry)}`, resolveDir: folder },
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      target: 'es2022',
      conditions: ['edge-light', 'workerd', 'worker'],
      external: ['next', 'next/*'],
      logLevel: 'silent',
    });
    return gzipSync(outputFiles[0]?.contents ?? '').length / 1_024;
  };
  const sizes = {
    client: await sizeOf('@memsession/client', ROOT),
    next: await sizeOf('@memsession/client/next', ROOT),
    iron: await sizeOf('iron-session', ROOT),
    upstash: await sizeOf('@upstash/redis', requirePeer('')),
  };
  const line = (what: string, ours: number, against: string, theirs: number): Line =>
    compare({
      what: `${what}: bundled, minified, gzipped`,
      against,
      unit: 'KiB',
      ours: [{ value: ours, cpuMicros: null }],
      theirs: [{ value: theirs, cpuMicros: null }],
      note: 'The client contains iron-session and jose: its size cannot be below theirs.',
    });
  return [
    line('@memsession/client', sizes.client, 'iron-session', sizes.iron),
    line('@memsession/client', sizes.client, '@upstash/redis', sizes.upstash),
    line('@memsession/client/next', sizes.next, 'iron-session', sizes.iron),
  ];
}

export const bundle: Row = { name: 'bundle', title: 'size of the client', measure };
