/** A project like a user's, outside the repository: both packages from their tarballs, and programs made for it. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, globSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { installPackages, makeFolder, packPackages } from './packed.ts';
import { requireTool } from './tools.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

export class Project implements Disposable {
  readonly #folder: ReturnType<typeof makeFolder> = makeFolder('project');
  readonly path: string = this.#folder.path;

  constructor() {
    const { client, bridge } = packPackages();
    installPackages(this.path, [client, bridge]);
    mkdirSync(join(this.path, 'src'));
  }

  /** The bridge's program. */
  get bridge(): string {
    return join(this.path, 'node_modules/@memsession/bridge/dist/main.js');
  }

  write(name: string, content: string): string {
    const file = join(this.path, name);
    writeFileSync(file, content);
    return file;
  }

  /** Writes a program of one's own into `src`. */
  writeProgram(name: string, code: string): void {
    writeFileSync(join(this.path, 'src', name), code);
  }

  /** Makes a package importable that lies elsewhere. */
  link(name: string, target: string): void {
    const link = join(this.path, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(target, link);
  }

  /** Copies files of the repository into `src`: there, imports find the installed packages and nothing else. */
  copy(pattern: string): void {
    for (const file of globSync(pattern, { cwd: ROOT })) {
      copyFileSync(join(ROOT, file), join(this.path, 'src', basename(file)));
    }
  }

  /** One JavaScript file of a program in `src`, whose imports of packages stay imports. */
  compile(name: string): string {
    return this.#build(name, ['--packages=external', '--format=esm', '--platform=neutral']);
  }

  /** One file that needs nothing else. `iife` leaves the exports in the global `bundle`. */
  bundle(name: string, format: 'esm' | 'iife'): string {
    // As bundlers for workers do it; what a worker's runtime brings along stays outside.
    const conditions = ['--conditions=workerd,worker,browser', '--external:cloudflare:workers'];
    return this.#build(name, [
      '--platform=browser',
      `--format=${format}`,
      '--global-name=bundle',
      ...conditions,
    ]);
  }

  #build(name: string, options: readonly string[]): string {
    const kind = options.includes('--packages=external') ? 'compiled' : 'bundled';
    const target = join(this.path, `${basename(name, '.ts')}.${kind}.mjs`);
    const args = [join(this.path, 'src', name), '--bundle', `--outfile=${target}`, '--log-level=warning'];
    const { status, stderr } = spawnSync(requireTool('esbuild/bin/esbuild'), [...args, ...options], {
      cwd: this.path,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`${name} cannot be built:\n${stderr}`);
    return target;
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}
