import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { startBridgeProcess } from '../support/bridge-process.ts';
import { DEPLOY, findMetrics, readDeployFile, readYaml, ROOT } from '../support/deploy-files.ts';
import { requireProgram } from '../support/install.ts';
import { makeFolder } from '../support/packed.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    readonly runbook: string;
  };
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}

const rules =
  readYaml<{ groups: readonly { rules: readonly Rule[] }[] }>('monitoring/alerts.yaml')[0]?.groups.flatMap(
    (group) => group.rules,
  ) ?? [];
// Written by hand; its shape is what the tests are about.
const dashboard = JSON.parse(readDeployFile('monitoring/grafana-dashboard.json')) as {
  readonly panels: readonly Panel[];
};
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

/** What a running bridge has, with the help of each. */
const exposed = new Map<string, string>();

before(async () => {
  await using bridge = await startBridgeProcess({ args: ['--embedded', '2'] });
  const text = await (await bridge.admin('GET', '/metrics')).text();
  for (const [, name = '', help = ''] of text.matchAll(/^# HELP (\S+) (.*)$/gm)) exposed.set(name, help);
});

function isExposed(metric: string): boolean {
  return exposed.has(metric) || exposed.has(metric.replace(/_(?:bucket|sum|count)$/, ''));
}

function promtool(args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(requireProgram('promtool'), args, {
    cwd: join(DEPLOY, 'monitoring'),
    encoding: 'utf8',
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
}

test('Prometheus takes the alert rules, and each fires when it should and only then', () => {
  promtool(['check', 'rules', 'alerts.yaml']);
  promtool(['test', 'rules', 'alerts.test.yaml']);
});

test('each alert rule is played, says what is wrong, and has its paragraph in docs/operations.md', () => {
  const played = readDeployFile('monitoring/alerts.test.yaml');
  const headings = new Set(
    [...readFileSync(join(ROOT, 'docs/operations.md'), 'utf8').matchAll(/^#+ (\S+)$/gm)].map(
      ([, heading = '']) => heading,
    ),
  );
  for (const { alert, labels, annotations } of rules) {
    assert.ok(played.includes(`alertname="${alert}", alertstate="firing", severity=`), `${alert} is played`);
    assert.ok(played.includes(`expr: ALERTS{alertname="${alert}"`), alert);
    assert.ok(['page', 'ticket'].includes(labels.severity), alert);
    assert.ok(annotations.summary !== '' && annotations.description !== '', alert);
    assert.equal(annotations.runbook, `docs/operations.md#${alert.toLowerCase()}`);
    assert.ok(headings.has(alert), `docs/operations.md has no heading ${alert}`);
  }
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
});

test('whatever rules and dashboard ask for is exposed by a bridge', () => {
  const expressions = [...rules.map(({ expr }) => expr), ...queries];
  const asked = new Set(expressions.flatMap(findMetrics));
  assert.ok(asked.size > 20);
  assert.deepEqual(
    [...asked].filter((metric) => !isExposed(metric)),
    [],
  );
  const events = expressions.join('\n').matchAll(/event="([a-z_]+)"/g);
  for (const [, event = ''] of events) {
    assert.ok(exposed.get('memsession_session_events_total')?.includes(event), event);
  }
});

test('Prometheus understands every query of the Grafana dashboard', () => {
  using folder = makeFolder('queries');
  const plain = (expr: string): string =>
    expr
      .replaceAll('$__rate_interval', '1m')
      .replaceAll('$job', 'memsession-bridge')
      .replaceAll('$bridge', '.*');
  const recorded = queries.map((expr, index) => ({ record: `panel:query${index}`, expr: plain(expr) }));
  const file = join(folder.path, 'queries.yaml');
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules: recorded }] }));
  promtool(['check', 'rules', file]);
});

test('the panels of the Grafana dashboard have titles and descriptions, and none covers another', () => {
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  const taken = new Map<string, string>();
  for (const { title, type, description = '', gridPos } of dashboard.panels) {
    assert.ok(title !== '' && (type === 'row' || description !== ''), title);
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        assert.equal(taken.get(`${x},${y}`), undefined, `${title} covers another panel`);
        taken.set(`${x},${y}`, title);
      }
    }
  }
});
