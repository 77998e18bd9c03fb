/** The parts that `npm start` runs around this app: what they do, and how to stop and start them. Server only. */
import type { PartKind, StackAction, StackState } from './stack-state';

const TIMEOUT_MS = 20_000;

/** Null when the app runs alone. */
export async function readStack(): Promise<StackState | null> {
  return call('GET', '/state');
}

/** What is stopped or started: a node by its index, an instance by its letter, or the bridge. */
export async function controlStack(
  kind: PartKind,
  which: string,
  action: StackAction,
): Promise<StackState | null> {
  return call('POST', `/${kind}/${encodeURIComponent(which)}/${action}`);
}

async function call(method: string, path: string): Promise<StackState | null> {
  const { STACK_CONTROL_URL: url, STACK_CONTROL_TOKEN: token } = process.env;
  if (url === undefined || token === undefined) return null;
  try {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}` },
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    // The control API of `npm start` is ours.
    return response.ok ? ((await response.json()) as StackState) : null;
  } catch {
    // It is gone: the app goes on alone.
    return null;
  }
}
