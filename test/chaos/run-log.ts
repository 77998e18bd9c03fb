/** What a run leaves behind: a file with a line for each request and each thing that was done or measured. */
import { readFile, writeFile } from 'node:fs/promises';
import type { Fact, History, Operation } from '../history/history.ts';

/** A bridge came to think otherwise about a node. */
export interface StateChange {
  readonly at: number;
  readonly bridge: number;
  readonly node: number;
  readonly to: string;
  readonly reason: string;
}

/** What the processes hold at one moment. */
export interface Measure {
  readonly at: number;
  readonly phase: 'warm' | 'end';
  /** Open files of each bridge and each node, by name. */
  readonly files: Readonly<Record<string, number>>;
  /** Operations that the bridges had under way or waiting. */
  readonly underWay: number;
}

/** What a row must show beside the promises that hold for all of them. */
export interface Finding {
  readonly what: string;
  readonly isHeld: boolean;
  readonly detail: string;
}

export interface RunHead extends Omit<History, 'operations' | 'facts'> {
  readonly row: string;
  readonly title: string;
  readonly seed: number;
  /** When each phase began, and when the last one ended, milliseconds. */
  readonly phases: {
    readonly warm: number;
    readonly fault: number;
    readonly heal: number;
    readonly end: number;
  };
  /** When everything was whole again, or null when it never was. */
  readonly wholeAt: number | null;
  /** The longest that a process of the run itself stood still, milliseconds. */
  readonly lagMs: number;
  /** What the instances reported, by type. */
  readonly events: Readonly<Record<string, number>>;
}

export interface RunLog extends RunHead, History {
  readonly states: readonly StateChange[];
  readonly measures: readonly Measure[];
  readonly findings: readonly Finding[];
}

type Line =
  | { readonly head: RunHead }
  | { readonly op: Operation }
  | { readonly fact: Fact }
  | { readonly state: StateChange }
  | { readonly measure: Measure }
  | { readonly finding: Finding };

export async function writeRunLog(path: string, log: RunLog): Promise<void> {
  const { operations, facts, states, measures, findings, ...head } = log;
  const lines: Line[] = [
    { head },
    ...facts.map((fact) => ({ fact })),
    ...states.map((state) => ({ state })),
    ...measures.map((measure) => ({ measure })),
    ...findings.map((finding) => ({ finding })),
    ...operations.map((op) => ({ op })),
  ];
  await writeFile(path, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
}

export async function readRunLog(path: string): Promise<RunLog> {
  const operations: Operation[] = [];
  const facts: Fact[] = [];
  const states: StateChange[] = [];
  const measures: Measure[] = [];
  const findings: Finding[] = [];
  let head: RunHead | null = null;
  for (const text of (await readFile(path, 'utf8')).trim().split('\n')) {
    // A run has written it.
    const line = JSON.parse(text) as Line;
    if ('head' in line) head = line.head;
    else if ('op' in line) operations.push(line.op);
    else if ('fact' in line) facts.push(line.fact);
    else if ('state' in line) states.push(line.state);
    else if ('measure' in line) measures.push(line.measure);
    else findings.push(line.finding);
  }
  if (head === null) throw new Error(`${path} is no history of a run: it has no head`);
  return { ...head, operations, facts, states, measures, findings };
}
