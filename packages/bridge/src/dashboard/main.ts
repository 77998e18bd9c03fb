/** The dashboard: follows the bridge's events and shows what they say. */
import type { Incident, NodeOverview, Overview, Warning } from '../overview.ts';
import type { Sample } from '../samples.ts';
import { runAction } from './actions.ts';
import { byId, element, setText } from './elements.ts';
import { formatDuration, formatMs, formatNumber } from './format.ts';
import { addIncidents, clearIncidents } from './incidents.ts';
import { NodeTable } from './nodes.ts';
import { Plots } from './plots.ts';

/** The first event: everything known. */
interface Start {
  readonly overview: Overview;
  readonly samples: readonly Sample[];
  readonly incidents: readonly Incident[];
  readonly source: { readonly kind: string; readonly path?: string };
  readonly isChangeable: boolean;
}

/** Each second: what is new. */
interface Tick {
  readonly overview: Overview;
  readonly sample: Sample | null;
  readonly incidents: readonly Incident[];
}

const THEMES = ['auto', 'light', 'dark'] as const;
const THEME_KEY = 'memsession-theme';
const QUARTER_MS = 900_000;
/** Share of requests that nobody could answer, above which it is told. */
const MOST_FAILING = 0.01;
/** Samples that this is judged by. */
const RECENT = 5;
const SYMBOLS = { good: '●', warning: '◐', bad: '✕' } as const;
const LIST = new Intl.ListFormat('en');

type Level = keyof typeof SYMBOLS;

interface Nodes {
  /** Those of the list that are not removed. */
  readonly present: readonly NodeOverview[];
  /** Those of them that get requests. */
  readonly usable: readonly NodeOverview[];
}

class Dashboard {
  readonly #plots = new Plots();
  #table: NodeTable | null = null;
  #samples: Sample[] = [];

  start({ overview, samples, incidents, source, isChangeable }: Start): void {
    this.#table = new NodeTable({
      isChangeable,
      onAction: (action, index) => void runAction(action, index),
    });
    this.#samples = [...samples];
    clearIncidents();
    addIncidents(incidents);
    this.#plots.start(samples, incidents);
    setText(byId('source'), describeSource(source));
    this.#show(overview);
  }

  tick({ overview, sample, incidents }: Tick): void {
    addIncidents(incidents);
    if (sample !== null) {
      this.#samples.push(sample);
      this.#samples = this.#samples.filter(({ at }) => at > sample.at - QUARTER_MS);
      this.#plots.add(sample, incidents);
    }
    this.#show(overview);
  }

  recolour(): void {
    this.#plots.recolour();
  }

  #show(overview: Overview): void {
    const last = this.#samples.at(-1);
    this.#table?.update(overview.nodes, last?.nodes ?? [], overview.at);
    showStatus(overview, this.#samples.slice(-RECENT));
    showWarnings(overview.warnings);
    showFigures(this.#samples, overview);
  }
}

function describeSource({ kind, path }: Start['source']): string {
  if (kind === 'file') return `The list comes from ${path ?? 'a file'}; change it there.`;
  if (kind === 'embedded') return 'Embedded nodes, for a first look only: sessions end with the bridge.';
  return 'The list comes from MEMCACHED_NODES; changes made here hold until the bridge restarts.';
}

function showStatus(overview: Overview, recent: readonly Sample[]): void {
  const present = overview.nodes.filter(({ state }) => state !== 'removed');
  const usable = present.filter(({ state }) => state === 'up' || state === 'suspected');
  const { level, text } = judge(overview, { present, usable }, recent);
  const status = byId('status');
  status.dataset['level'] = level;
  setText(status, `${SYMBOLS[level]} ${text}`);
  setText(byId('summary'), summarize(overview, { present, usable }));
  const processes = overview.processes === 1 ? '1 process' : `${overview.processes} processes`;
  setText(
    byId('facts'),
    `Version ${overview.version}, ${processes}, up for ${formatDuration(overview.at - overview.startedAt)}`,
  );
  document.title = `${SYMBOLS[level]} memsession bridge`;
}

function summarize({ isInDoubt, notReady, warnings }: Overview, { present, usable }: Nodes): string {
  const sentences = [
    usable.length === present.length
      ? `All ${present.length} nodes can be used.`
      : `${tellOut(present.filter((node) => !usable.includes(node)))} of ${present.length} cannot be used.`,
    isInDoubt ? 'So many nodes look down that the bridge doubts itself.' : '',
    notReady === null ? '' : `Not ready: ${notReady}.`,
    warnings.some(({ code }) => code === 'evicted') ? 'Back-ups were lost for want of memory.' : '',
  ];
  return sentences.filter((sentence) => sentence !== '').join(' ');
}

/** `Node 2`, `Nodes 0 and 2`. */
function tellOut(nodes: readonly NodeOverview[]): string {
  const indexes = nodes.map(({ index }) => String(index));
  return indexes.length === 1 ? `Node ${indexes.join()}` : `Nodes ${LIST.format(indexes)}`;
}

/** What people notice comes before what only the operator does. */
function judge(
  { notReady, warnings }: Overview,
  { present, usable }: Nodes,
  recent: readonly Sample[],
): { readonly level: Level; readonly text: string } {
  if (notReady !== null || usable.length === 0) return { level: 'bad', text: 'Not serving' };
  const failing = recent.reduce((sum, { operations, shed }) => sum + operations.failed + shed, 0);
  const all = recent.reduce((sum, sample) => sum + totalOf(sample), 0);
  if (failing > all * MOST_FAILING) return { level: 'bad', text: 'Requests fail' };
  const isWhole = usable.length === present.length && usable.every(({ state }) => state === 'up');
  return isWhole && warnings.every(({ code }) => code !== 'evicted')
    ? { level: 'good', text: 'All is well' }
    : { level: 'warning', text: 'Degraded' };
}

function totalOf({ operations }: Sample): number {
  return operations.done + operations.absent + operations.refused + operations.failed;
}

function showWarnings(warnings: readonly Warning[]): void {
  const list = byId('warnings');
  const key = JSON.stringify(warnings);
  if (list.dataset['key'] === key) return;
  list.dataset['key'] = key;
  byId('warnings-part').hidden = warnings.length === 0;
  list.replaceChildren(
    ...group(warnings).map(({ text, nodes, code }) =>
      element(
        'li',
        { 'data-code': code },
        nodes === '' ? '' : element('strong', {}, nodes),
        nodes === '' ? text : ` ${text}`,
      ),
    ),
  );
}

/** The same warning about several nodes is told once. */
function group(warnings: readonly Warning[]): { text: string; nodes: string; code: string }[] {
  const byText = new Map<string, Warning[]>();
  for (const warning of warnings) byText.set(warning.text, [...(byText.get(warning.text) ?? []), warning]);
  return [...byText].map(([text, same]) => {
    const indexes = same.flatMap(({ node }) => (node === null ? [] : node));
    const nodes = indexes.length === 0 ? '' : `Node${indexes.length > 1 ? 's' : ''} ${indexes.join(', ')}:`;
    return { text, nodes, code: same[0]?.code ?? '' };
  });
}

function showFigures(samples: readonly Sample[], { nodes }: Overview): void {
  const last = samples.at(-1);
  const inQuarter = (pick: (sample: Sample) => number): string => {
    let sum = 0;
    for (const [position, sample] of samples.entries()) {
      const before = samples[position - 1]?.at ?? sample.at - 1_000;
      sum += (pick(sample) * (sample.at - before)) / 1_000;
    }
    return formatNumber(Math.round(sum));
  };
  const evictions = nodes.reduce((sum, { facts }) => sum + (facts?.evictions ?? 0), 0);
  const figures: readonly (readonly [string, string, boolean])[] = [
    ['figure-rate', last === undefined ? '–' : `${formatNumber(totalOf(last))}/s`, false],
    ['figure-p99', formatMs(last?.p99 ?? null), false],
    ['figure-failed', inQuarter(({ operations, shed }) => operations.failed + shed), true],
    ['figure-relocations', inQuarter(({ events }) => events['relocation'] ?? 0), false],
    ['figure-conflicts', inQuarter(({ events }) => events['conflict'] ?? 0), false],
    ['figure-evictions', formatNumber(evictions), true],
  ];
  for (const [id, text, isBadAboveZero] of figures) {
    setText(byId(id), text);
    byId(id).dataset['level'] = isBadAboveZero && text !== '0' ? 'bad' : 'none';
  }
}

function follow(dashboard: Dashboard): void {
  const events = new EventSource('/dashboard/events');
  // What these events carry is made from the same types by the bridge.
  events.addEventListener('start', (event) => dashboard.start(JSON.parse(event.data) as Start));
  events.addEventListener('tick', (event) => dashboard.tick(JSON.parse(event.data) as Tick));
  events.addEventListener('open', () => (byId('offline').hidden = true));
  events.addEventListener('error', () => {
    byId('offline').hidden = false;
    // The browser tries again by itself, but not after a refusal: then the session has ended.
    if (events.readyState === EventSource.CLOSED) setTimeout(() => void checkSession(dashboard), 2_000);
  });
}

async function checkSession(dashboard: Dashboard): Promise<void> {
  const response = await fetch('/dashboard/api/nodes').catch(() => null);
  if (response?.status === 401) location.assign('/dashboard/login');
  else follow(dashboard);
}

function setUpTheme(dashboard: Dashboard): void {
  const button = byId('theme');
  let theme = THEMES.find((each) => each === localStorage.getItem(THEME_KEY)) ?? 'auto';
  const show = (): void => {
    document.documentElement.dataset['theme'] = theme;
    setText(button, `Theme: ${theme}`);
  };
  button.addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto';
    localStorage.setItem(THEME_KEY, theme);
    show();
    dashboard.recolour();
  });
  show();
}

const dashboard = new Dashboard();
setUpTheme(dashboard);
follow(dashboard);
