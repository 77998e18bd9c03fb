/** The list of what happened, newest first. */
import type { Incident } from '../overview.ts';
import { byId, element } from './elements.ts';
import { formatTime } from './format.ts';

const MOST = 100;
const SYMBOLS: Readonly<Record<Incident['kind'], string>> = {
  bad: '✕',
  warning: '◐',
  good: '●',
  change: '→',
};
const WORDS: Readonly<Record<Incident['kind'], string>> = {
  bad: 'Trouble',
  warning: 'Warning',
  good: 'Recovered',
  change: 'Change',
};

/** Puts what is new in front. */
export function addIncidents(incidents: readonly Incident[]): void {
  const list = byId('incidents');
  for (const { at, kind, text } of incidents) {
    list.prepend(
      element(
        'li',
        { 'data-kind': kind },
        element('time', { datetime: new Date(at).toISOString() }, formatTime(at)),
        element('span', { class: 'symbol', role: 'img', 'aria-label': WORDS[kind] }, SYMBOLS[kind]),
        element('span', {}, text),
      ),
    );
  }
  while (list.childElementCount > MOST) list.lastElementChild?.remove();
  byId('no-incidents').hidden = list.childElementCount > 0;
}

/** Empties the list. */
export function clearIncidents(): void {
  byId('incidents').replaceChildren();
}
