import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseNodeAddresses, parseNodesFile } from '../../packages/bridge/src/node-list.ts';
import { SETTINGS } from '../../packages/bridge/src/settings.ts';
import { readDeployFile, readYaml, ROOT, SETTING_ENVIRONMENT } from '../support/deploy-files.ts';
import { requireProgram } from '../support/install.ts';
import { makeFolder } from '../support/packed.ts';
import { requireTools } from '../support/tools.ts';

/** What every node must be started with. */
const NODE_FLAGS = ['-M', '-B binary', '-U 0'];

interface ComposeService {
  readonly image?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly networks: readonly string[];
  readonly stop_grace_period?: string;
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
}

interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
}

test('the compose file names its own services, and gives the bridges settings that they know', () => {
  const [compose] = readYaml<Compose>('compose.yaml');
  assert.ok(compose);
  const services = Object.entries(compose.services);
  for (const [name, { networks, ports = [], depends_on: parents = {}, image = '' }] of services) {
    for (const network of networks) assert.ok(network in compose.networks, `${name}: ${network}`);
    for (const parent of Object.keys(parents)) assert.ok(parent in compose.services, parent);
    for (const port of ports)
      assert.match(port, /^127\.0\.0\.1:/, `${name} is reached from this machine only`);
    assert.notEqual(image, '');
  }
  const nodes = services.filter(([name]) => name.startsWith('node-'));
  for (const [, { command = [], networks }] of nodes) {
    for (const flag of NODE_FLAGS) assert.ok(command.join(' ').includes(flag), flag);
    assert.deepEqual(networks, ['nodes']);
  }
  assert.equal(compose.networks['nodes']?.internal, true);
  const bridges = services.filter(([name]) => name.startsWith('bridge-'));
  assert.equal(bridges.length, 2);
  for (const [, { environment = {}, stop_grace_period: grace = '' }] of bridges) {
    for (const name of Object.keys(environment)) assert.ok(SETTING_ENVIRONMENT.has(name), name);
    const parsed = parseNodeAddresses(environment['MEMCACHED_NODES'] ?? '');
    assert.ok(parsed.ok);
    assert.deepEqual(
      parsed.nodes.map(({ host }) => host),
      nodes.map(([name]) => name),
    );
    assert.ok(Number.parseInt(grace, 10) * 1_000 > stopMs({}), 'it may finish before it is killed');
  }
});

/** How long a bridge takes to stop at most, milliseconds. */
function stopMs(environment: Readonly<Record<string, string>>): number {
  const { stopWaitMs, stopGraceMs } = SETTINGS;
  return [stopWaitMs, stopGraceMs].reduce(
    (sum, { env, default: fallback }) => sum + Number(environment[env] ?? fallback),
    0,
  );
}

interface Container {
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: object;
  readonly [probe: `${string}Probe`]: {
    readonly httpGet?: { port: string };
    readonly tcpSocket?: { port: string };
  };
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: { readonly runAsNonRoot: boolean };
  readonly containers: readonly Container[];
  readonly volumes?: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly secret?: { readonly secretName: string };
  }[];
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly replicas: number;
    readonly serviceName?: string;
    readonly selector: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly podSelector?: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly ingress?: readonly { readonly ports: readonly { readonly port: string }[] }[];
    readonly ports?: readonly { readonly targetPort: string }[];
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: PodSpec;
    };
  };
}

const [kustomization] = readYaml<{ resources: readonly string[] }>('kubernetes/kustomization.yaml');
const manifests = (kustomization?.resources ?? []).flatMap((file) =>
  readYaml<Manifest>(`kubernetes/${file}`),
);

function find(kind: string, name: string): Manifest {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  assert.ok(found, `${kind} ${name}`);
  return found;
}

/** Types know every field, so that a misspelt one is found, which the validators let pass. */
test('the Kubernetes manifests have the fields that Kubernetes knows, and values that it takes', () => {
  using folder = makeFolder('manifests');
  mkdirSync(join(folder.path, 'node_modules'));
  for (const name of ['kubernetes-models', '@kubernetes-models'])
    symlinkSync(join(requireTools(), name), join(folder.path, 'node_modules', name));
  const lines = manifests.flatMap((manifest, index) => {
    const group = manifest.apiVersion === 'v1' ? 'v1' : manifest.apiVersion;
    return [
      `import { ${manifest.kind} as K${index}, type I${manifest.kind} as T${index} } from 'kubernetes-models/${group}';`,
      `const m${index}: T${index} = ${JSON.stringify(manifest)};`,
      `new K${index}(m${index}).validate();`,
    ];
  });
  assert.equal(lines.length, 3 * 9);
  const file = join(folder.path, 'manifests.mts');
  writeFileSync(file, lines.join('\n'));
  const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022'];
  const tsc = spawnSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...flags, file], {
    cwd: folder.path,
    encoding: 'utf8',
  });
  assert.equal(tsc.status, 0, tsc.stdout);
  const run = spawnSync(process.execPath, [file], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
});

test('what the Kubernetes manifests refer to is there', () => {
  for (const [kind, name] of [
    ['StatefulSet', 'memcached'],
    ['Deployment', 'memsession-bridge'],
  ] as const) {
    const { spec } = find(kind, name);
    const { labels } = spec.template.metadata;
    const pod = spec.template.spec;
    const ports = pod.containers.flatMap((container) => container.ports?.map((port) => port.name) ?? []);
    const service = find('Service', spec.serviceName ?? name);
    const budget = find('PodDisruptionBudget', name);
    const policy = find('NetworkPolicy', name);
    for (const selector of [
      spec.selector.matchLabels,
      // The selector of a service is the labels themselves.
      service.spec.selector as Readonly<Record<string, string>>,
      budget.spec.selector.matchLabels,
      policy.spec.podSelector?.matchLabels,
    ]) {
      assert.ok(selector);
      for (const [label, value] of Object.entries(selector)) assert.equal(labels[label], value);
    }
    const named = [
      ...(service.spec.ports ?? []).map(({ targetPort }) => targetPort),
      ...(policy.spec.ingress ?? []).flatMap((rule) => rule.ports.map(({ port }) => port)),
      ...pod.containers.flatMap((container) =>
        (['startupProbe', 'livenessProbe', 'readinessProbe'] as const).flatMap((probe) => {
          const { httpGet, tcpSocket } = container[probe] ?? {};
          return httpGet?.port ?? tcpSocket?.port ?? [];
        }),
      ),
    ];
    assert.ok(named.length >= 4);
    for (const port of named) assert.ok(ports.includes(port), port);
    const volumes = (pod.volumes ?? []).map((volume) => volume.name);
    for (const container of pod.containers) {
      for (const mount of container.volumeMounts ?? []) assert.ok(volumes.includes(mount.name));
      assert.deepEqual(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
    assert.equal(pod.securityContext.runAsNonRoot, true);
    for (const { configMap } of pod.volumes ?? []) if (configMap) find('ConfigMap', configMap.name);
  }
});

test('in Kubernetes the bridge gets settings that it knows, and the list of the nodes that there are', () => {
  const nodes = find('StatefulSet', 'memcached');
  const [memcached] = nodes.spec.template.spec.containers;
  for (const flag of NODE_FLAGS) assert.ok(memcached?.args?.join(' ').includes(flag), flag);
  const { data = {} } = find('ConfigMap', 'memsession-nodes');
  const parsed = parseNodesFile(data['nodes.txt'] ?? '');
  assert.ok(parsed.ok);
  assert.deepEqual(
    parsed.nodes.map(({ host }) => host),
    Array.from({ length: nodes.spec.replicas }, (_, index) => `memcached-${index}.${nodes.spec.serviceName}`),
  );
  const { terminationGracePeriodSeconds: grace, containers } = find('Deployment', 'memsession-bridge').spec
    .template.spec;
  const [bridge] = containers;
  const environment = Object.fromEntries((bridge?.env ?? []).map(({ name, value }) => [name, value]));
  for (const name of Object.keys(environment)) assert.ok(SETTING_ENVIRONMENT.has(name), name);
  for (const [name, value] of Object.entries(environment)) {
    const mounts = (bridge?.volumeMounts ?? []).map(({ mountPath }) => `${mountPath}/`);
    if (name.endsWith('_FILE'))
      assert.ok(
        mounts.some((mount) => value.startsWith(mount)),
        value,
      );
  }
  assert.ok(grace * 1_000 > stopMs(environment), 'it may finish before it is killed');
  assert.deepEqual(
    bridge?.ports?.map(({ containerPort }) => String(containerPort)),
    [SETTINGS.port.default, SETTINGS.adminPort.default],
  );
});

test('systemd takes the unit, and finds little that it could still be denied', () => {
  using folder = makeFolder('unit');
  const unit = join(folder.path, 'memsession-bridge.service');
  writeFileSync(unit, readDeployFile('systemd/memsession-bridge.service'));
  const analyze = (args: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync(requireProgram('systemd-analyze'), args, {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stdout + stderr);
    return stdout + stderr;
  };
  assert.doesNotMatch(analyze(['verify', unit]), /memsession/);
  // 0 is a service that may do nothing, 10 one that may do everything; 20 here is 2.0.
  analyze(['security', '--offline=true', '--threshold=20', '--no-pager', unit]);
});

test('the files beside the systemd unit are what the bridge and memcached read', () => {
  const unit = readDeployFile('systemd/memsession-bridge.service');
  const names = [...unit.matchAll(/^Environment=([A-Z_]+)=/gm)].map(([, name = '']) => name);
  const more = [...readDeployFile('systemd/bridge.env').matchAll(/^([A-Z_]+)=/gm)].map(
    ([, name = '']) => name,
  );
  for (const name of [...names, ...more])
    assert.ok(name === 'NODE_ENV' || SETTING_ENVIRONMENT.has(name), name);
  const [, stop = ''] = /^TimeoutStopSec=(\d+)$/m.exec(unit) ?? [];
  assert.ok(Number(stop) * 1_000 > stopMs({}));
  assert.ok(parseNodesFile(readDeployFile('systemd/nodes.txt')).ok);
  const flags = readDeployFile('systemd/memcached.conf').split('\n');
  for (const flag of NODE_FLAGS) assert.ok(flags.includes(flag), flag);
});
