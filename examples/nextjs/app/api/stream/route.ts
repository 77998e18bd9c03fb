/** Streams an answer, and saves before the stream begins and while it runs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { mutation } from '@/lib/api';
import { getSession } from '@/lib/session';
import { streamText } from '@/lib/stream';

const PAUSE_MS = 500;

export const POST = mutation(async (request) => {
  const session = await getSession(request);
  session.note = 'Saved before the stream began.';
  await session.save();
  const { version } = session.meta;
  const lines = async function* (): AsyncGenerator<string> {
    yield `Before the stream: version ${version} is stored, and the answer's cookie says so.\n`;
    await sleep(PAUSE_MS);
    session.note = 'Saved in the middle of a stream.';
    await session.save();
    yield `In the stream: version ${session.meta.version} is stored, on ${session.meta.copies ?? '?'} nodes.\n`;
    await sleep(PAUSE_MS);
    yield `The cookie could not be changed any more: it names version ${version}.\n`;
    yield 'The next answer brings the new one. Until then another instance may show the version before.\n';
  };
  return new Response(streamText(lines()), {
    headers: { 'content-type': 'text/plain; charset=utf-8' },
  });
});
