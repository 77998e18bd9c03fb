/** How a visitor who goes on at another instance is told that nothing was lost there. */
import type { Scene } from './story';

/** An address of the same page on another instance, which knows where the visitor comes from. */
export function goOnAt(instanceUrl: string, path: string, { instance, session }: Scene): string {
  return `${instanceUrl}${path}#from-${instance ?? ''}-${session?.version ?? 0}`;
}

/** What is to be said on arrival; empties the address of it. */
export function readArrival({ instance, session }: Scene): string[] {
  const match = /^#from-([A-Z])-([0-9]+)$/.exec(window.location.hash);
  if (match === null || instance === null) return [];
  window.history.replaceState(window.history.state, '', window.location.pathname + window.location.search);
  if (session === null || session.version === 0 || match[1] === instance) return [];
  const kept = session.version >= Number(match[2]) ? ', nothing lost' : '';
  return [
    `You came from instance ${match[1]}; instance ${instance} took your session over, version ${session.version}${kept}.`,
  ];
}
