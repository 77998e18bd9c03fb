/** The operator's side of a bridge, once for all its processes: node list, apps, desk, admin listener. */
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { createAdmin } from './admin.ts';
import { parseAppsFile } from './apps-file.ts';
import { composeApps, type Config } from './config.ts';
import type { Crew } from './crew.ts';
import { Desk } from './desk.ts';
import { Listener } from './listener.ts';
import { Networks, resolveHost } from './networks.ts';
import type { NodeList } from './node-list.ts';
import { type ListSource, Roster } from './roster.ts';
import { systemClock } from './system-clock.ts';
import { WatchedFile } from './watched-file.ts';

/** Operators and scrapers are few; strangers must not use up the process's files here. */
const MOST_CONNECTIONS = 64;

export interface ControlOptions {
  readonly config: Config;
  /** The list in force, embedded nodes included. */
  readonly list: NodeList;
  readonly crew: Crew;
  readonly log: Logger;
}

/** Watches the files and the processes from the start, and listens when it is told to and there is a token. */
export class Control {
  readonly desk: Desk;
  readonly roster: Roster;
  readonly #options: ControlOptions;
  readonly #files: readonly { readonly code: string; readonly file: WatchedFile }[];
  #listener: Listener | null = null;

  constructor(options: ControlOptions) {
    const { config, crew, log, list } = options;
    this.#options = options;
    this.roster = new Roster({
      source: sourceOf(config),
      list,
      networks: new Networks(config.nodeNetworks, resolveHost),
      onChange: (next, told) => this.#changed(next, told),
    });
    this.#files = [...this.#watchNodes(), ...this.#watchApps()];
    this.desk = new Desk({
      crew,
      clock: systemClock,
      wallClock: Date.now,
      log,
      maxRecordBytes: config.maxRecordBytes,
      fileProblems: () =>
        this.#files.flatMap(({ file }) => file.problems.map((problem) => `${file.path}: ${problem}`)),
    });
  }

  async listen(): Promise<void> {
    const { config, log } = this.#options;
    if (config.adminTokens.length === 0) return;
    const { desk, roster } = this;
    const { adminTokens: tokens, maxRecordBytes } = config;
    const app = createAdmin({ desk, roster, tokens, maxRecordBytes, log, wallClock: Date.now });
    this.#listener = await Listener.start({
      fetch: (request) => app.fetch(request),
      host: config.adminHost,
      port: config.adminPort,
      setting: 'adminPort',
      log,
      stallMs: 0,
      maxConnections: MOST_CONNECTIONS,
    });
  }

  /** Where the operator's listener is reached; null when it is closed. */
  get url(): string | null {
    return this.#listener?.url ?? null;
  }

  /** Which files are not valid now, for those who may not see more. */
  get warnings(): string[] {
    return this.#files.filter(({ file }) => file.problems.length > 0).map(({ code }) => code);
  }

  /** Reads the files now. */
  async reload(): Promise<void> {
    await Promise.all(this.#files.map(({ file }) => file.reload()));
  }

  async stop(): Promise<void> {
    for (const { file } of this.#files) file.stop();
    this.desk.stop();
    await this.#listener?.stop(0);
  }

  #changed(list: NodeList, told: readonly string[]): void {
    const { crew, log } = this.#options;
    crew.setNodes(list);
    for (const text of told) this.desk.note(text);
    log.info({ changes: told }, 'the node list was changed');
  }

  #watchNodes(): { code: string; file: WatchedFile }[] {
    const { nodesFile } = this.#options.config;
    if (nodesFile === null) return [];
    const take = (text: string): string[] => this.roster.take(text);
    return [{ code: 'node_list_invalid', file: this.#watch(nodesFile, 'node list', take) }];
  }

  #watchApps(): { code: string; file: WatchedFile }[] {
    const { crew, config } = this.#options;
    if (config.appsFile === null) return [];
    const take = (text: string): readonly string[] => {
      const parsed = parseAppsFile(text);
      if (!parsed.ok) return parsed.problems;
      crew.setApps(composeApps(config.sharedSecrets, parsed.apps));
      return [];
    };
    return [{ code: 'apps_invalid', file: this.#watch(config.appsFile, 'list of apps', take) }];
  }

  #watch(path: string, what: string, take: (text: string) => readonly string[]): WatchedFile {
    const { log } = this.#options;
    return new WatchedFile({
      what,
      path,
      clock: systemClock,
      readFile: (each) => readFile(each, 'utf8'),
      take,
      log,
    });
  }
}

function sourceOf({ nodesFile, embedded }: Config): ListSource {
  if (nodesFile !== null) return { kind: 'file', path: nodesFile };
  return { kind: embedded > 0 ? 'embedded' : 'environment' };
}
