/** Changes of the node list: asked back first, then sent, and what came of it told. */
import { byId } from './elements.ts';
import type { NodeAction } from './nodes.ts';

const QUESTIONS: Readonly<Record<NodeAction, (index: number) => string>> = {
  drain: (index) =>
    `Node ${index} gets no new sessions, and those it has move away when they are next used. It is still read.`,
  activate: (index) => `Node ${index} is used again. What it missed meanwhile is confirmed by other nodes.`,
  remove: (index) =>
    `Node ${index} is taken out for good: it is read no more, and its index is never used again.`,
};

const TITLES: Readonly<Record<NodeAction, string>> = {
  drain: 'Drain this node?',
  activate: 'Use this node again?',
  remove: 'Remove this node?',
};

/** Asks whether it is meant, and does it. */
export async function runAction(action: NodeAction, index: number): Promise<void> {
  if (!(await isConfirmed(TITLES[action], QUESTIONS[action](index)))) return;
  const response = await fetch(`/dashboard/api/nodes/${index}/${action}`, { method: 'POST' });
  // The shape of this API's answers; what is missing is told as such.
  const body = (await response.json()) as { toKeep?: string; error?: { message?: string } };
  tell(response.ok ? (body.toKeep ?? 'Done.') : (body.error?.message ?? 'It failed.'), !response.ok);
}

async function isConfirmed(title: string, text: string): Promise<boolean> {
  const dialog = byId('question');
  if (!(dialog instanceof HTMLDialogElement)) return false;
  byId('question-title').textContent = title;
  byId('question-text').textContent = text;
  dialog.returnValue = '';
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener('close', resolve, { once: true }));
  return dialog.returnValue === 'yes';
}

function tell(text: string, isBad: boolean): void {
  const place = byId('outcome');
  place.textContent = text;
  place.dataset['kind'] = isBad ? 'bad' : 'good';
  place.hidden = false;
}
