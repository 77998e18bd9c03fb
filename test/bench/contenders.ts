/** Other programs that answer HTTP, started for comparison. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answersOnPort, findFreePort } from '../../examples/start/ports.ts';
import { type Core, MeasuredProcess } from './measured-process.ts';
import { requireBun, requirePeer } from './peers.ts';
import type { Runtime } from './stack.ts';
import { requireTool } from './tools.ts';

/** A server with what it stands on. */
export interface Contender {
  readonly url: string;
  readonly port: number;
  /** The one that is measured. */
  readonly process: MeasuredProcess;
  readonly stop: () => Promise<void>;
}

export interface ScriptOptions {
  /** In the peers' folder. */
  readonly file: string;
  readonly runtime?: Runtime;
  readonly core?: Core;
  readonly env?: Readonly<Record<string, string>>;
}

/** A server that is one of the scripts in the peers' folder; it listens on PORT. */
export async function startScript({
  file,
  runtime = 'node',
  core = 'measured',
  env = {},
}: ScriptOptions): Promise<Contender> {
  const port = await findFreePort();
  const process_ = await MeasuredProcess.start(core, {
    name: `${file} on ${runtime}`,
    command: runtime === 'bun' ? requireBun() : process.execPath,
    args: [requirePeer(file)],
    env: { PORT: `${port}`, NODE_ENV: 'production', ...env },
    isHealthy: () => answersOnPort(port),
  });
  return { url: `http://127.0.0.1:${port}/`, port, process: process_, stop: () => process_.stop() };
}

/** Redis that keeps nothing on disk. */
export async function startRedis(core: Core = 'rest'): Promise<Contender> {
  const { path, env } = requireTool('redis-server');
  const port = await findFreePort();
  const process_ = await MeasuredProcess.start(core, {
    name: 'redis',
    command: path,
    args: ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    env,
    isHealthy: () => answersOnPort(port),
  });
  return { url: `redis://127.0.0.1:${port}`, port, process: process_, stop: () => process_.stop() };
}

/** webdis, the HTTP bridge to Redis in C, with one thread. */
export async function startWebdis(): Promise<Contender> {
  const { path, env } = requireTool('webdis');
  const redis = await startRedis();
  const port = await findFreePort();
  const folder = mkdtempSync(join(tmpdir(), 'memsession-bench-webdis-'));
  const config = join(folder, 'webdis.json');
  writeFileSync(
    config,
    JSON.stringify({
      redis_host: '127.0.0.1',
      redis_port: redis.port,
      redis_auth: null,
      http_host: '127.0.0.1',
      http_port: port,
      threads: 1,
      pool_size: 20,
      daemonize: false,
      database: 0,
      verbosity: 0,
      logfile: join(folder, 'webdis.log'),
    }),
  );
  const process_ = await MeasuredProcess.start('measured', {
    name: 'webdis',
    command: path,
    args: [config],
    env,
    isHealthy: () => answersOnPort(port),
  });
  const stop = async (): Promise<void> => {
    await process_.stop();
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { url: `http://127.0.0.1:${port}/`, port, process: process_, stop };
}

/** nginx with one worker whose memcached module reads from this port; the path is the key. */
export async function startNginx(nodePort: number): Promise<Contender> {
  const { path, env } = requireTool('nginx');
  const port = await findFreePort();
  const folder = mkdtempSync(join(tmpdir(), 'memsession-bench-nginx-'));
  const config = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  writeFileSync(
    config,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
     events { worker_connections 1024; }
     http {
       access_log off; ${temporary} keepalive_requests 1000000000;
       upstream node { server 127.0.0.1:${nodePort}; keepalive 64; }
       server {
         listen 127.0.0.1:${port};
         location / { set $memcached_key "$uri"; default_type application/octet-stream; memcached_pass node; }
       }
     }`,
  );
  const process_ = await MeasuredProcess.start('measured', {
    name: 'nginx',
    command: path,
    args: ['-c', config, '-p', folder],
    env,
    isHealthy: () => answersOnPort(port),
  });
  const stop = async (): Promise<void> => {
    await process_.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { url: `http://127.0.0.1:${port}/`, port, process: process_, stop };
}
