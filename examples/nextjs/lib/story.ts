/** Tells in words what has happened between two looks at the session and at the parts around it. */
import type { SessionSight } from './sight';
import { isUp, type NodeState, type StackState } from './stack-state';

/** What the panel sees at one moment. */
export interface Scene {
  /** The instance that answers; null while none does. */
  readonly instance: string | null;
  /** Null while nobody can know the session. */
  readonly session: SessionSight | null;
  /** Null when the app runs alone. */
  readonly stack: StackState | null;
}

/** One sentence for each thing that has changed; none when nothing has. */
export function tellStory(before: Scene, after: Scene): string[] {
  if (before.instance !== null && after.instance === null) return [tellInstanceGone(before)];
  if (before.instance === null && after.instance !== null) return [`Instance ${after.instance} is back.`];
  return [...tellNodes(before, after), ...tellSession(before.session, after.session, after.stack)];
}

function tellInstanceGone({ instance, session }: Scene): string {
  const where = session?.home == null ? '' : ` Your session is on node ${session.home}: nothing is lost.`;
  return `Instance ${instance} does not answer any more.${where}`;
}

/** What came of the nodes, except where the session tells it better. */
function tellNodes(before: Scene, after: Scene): string[] {
  const home = after.session?.home ?? null;
  const wasHome = before.session?.home ?? null;
  const told: string[] = [];
  for (const node of after.stack?.nodes ?? []) {
    const earlier = before.stack?.nodes.find(({ index }) => index === node.index);
    if (earlier === undefined || isUp(earlier) === isUp(node)) continue;
    if (isUp(node)) told.push(`Node ${node.index} is back${earlier.running ? '' : ', empty'}.`);
    else if (node.index !== wasHome) told.push(`${goneText(node)}${elsewhere(home)}`);
    else if (node.index === home) told.push(`${goneText(node)}. It was your session’s home.`);
  }
  return told;
}

function elsewhere(home: number | null): string {
  return home === null ? '.' : `; your session’s home is node ${home}, so nothing changes for you.`;
}

function goneText({ index, frozen, running }: NodeState): string {
  return running && frozen ? `Node ${index} hangs` : `Node ${index} is gone`;
}

function tellSession(
  before: SessionSight | null,
  after: SessionSight | null,
  stack: StackState | null,
): string[] {
  if (before === null && after === null) return [];
  if (after === null)
    return ['Nobody can be asked for your session now. You are not logged out; try again soon.'];
  if (before === null) return [`Your session can be read again, at version ${after.version}.`];
  if (before.ref !== null && after.ref === null)
    return ['The session has ended. Its id opens nothing any more.'];
  if (before.ref === null)
    return after.ref === null ? [] : [`A session has begun, on node ${after.home ?? '–'}.`];
  if (after.source === 'cookie') return before.version === after.version ? [] : [tellCarried(after)];
  if (before.source === 'cookie')
    return [`The nodes are back, and what you saved meanwhile is stored: version ${after.version}.`];
  if (before.home !== after.home) return [tellMove(before, after, stack)];
  if (after.stale !== before.stale)
    return [after.stale ? tellStale(after) : 'Your session is confirmed again.'];
  if (identity(before) !== identity(after))
    return [`A new session id, with the same data: ${after.ref ?? ''}.`];
  return after.version > before.version ? [tellSave(after)] : [];
}

function identity({ ref }: SessionSight): string {
  return ref?.split('.')[0] ?? '';
}

function tellCarried({ version }: SessionSight): string {
  return `The session store cannot be reached. Version ${version} rides in your browser’s cookie until it can.`;
}

function tellStale({ version }: SessionSight): string {
  return `The session store cannot be reached. This instance shows version ${version} from its memory.`;
}

function tellSave({ version, home, copies }: SessionSight): string {
  const on = copies === null ? `on node ${home ?? '–'}` : `on ${copies} ${copies === 1 ? 'node' : 'nodes'}`;
  return `Saved: version ${version}, ${on}.`;
}

function tellMove(before: SessionSight, after: SessionSight, stack: StackState | null): string {
  const old = stack?.nodes.find(({ index }) => index === before.home);
  const why = old === undefined || isUp(old) ? `Node ${before.home ?? '–'} was left` : goneText(old);
  const kept = after.version >= before.version ? ', nothing lost' : '';
  return `${why}, your session moved to node ${after.home ?? '–'}, version ${after.version}${kept}.`;
}
