/** What the panel knows about the parts around this app. */

export type PartKind = 'node' | 'instance' | 'bridge';
export type StackAction = 'stop' | 'start';

export interface PartState {
  readonly running: boolean;
  readonly frozen: boolean;
}

export interface NodeState extends PartState {
  readonly index: number;
}

export interface InstanceState extends PartState {
  readonly letter: string;
  readonly url: string;
}

export interface StackState {
  readonly nodes: readonly NodeState[];
  readonly instances: readonly InstanceState[];
  readonly bridge: PartState;
  readonly events: readonly { readonly at: number; readonly text: string }[];
}

export function isPartKind(text: string): text is PartKind {
  return text === 'node' || text === 'instance' || text === 'bridge';
}

export function isStackAction(text: string): text is StackAction {
  return text === 'stop' || text === 'start';
}

/** Whether it does its work. */
export function isUp({ running, frozen }: PartState): boolean {
  return running && !frozen;
}
