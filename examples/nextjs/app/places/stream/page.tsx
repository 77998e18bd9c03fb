import type { Metadata } from 'next';
import type { ReactNode } from 'react';
import { Place } from '@/components/place';
import { StreamReader } from '@/components/stream-reader';

export const metadata: Metadata = { title: 'Streamed answer' };

const CODE = `export const POST = withSession(async (request: NextRequest) => {
  const session = await getSession(request); // before the stream: cookies can still be set
  const lines = async function* () {
    for await (const word of think()) yield word;
    session.note = 'Thought about it.';
    await session.save();                    // stored; the cookie says so with the next answer
  };
  return new Response(streamText(lines()));
});`;

export default function Stream(): ReactNode {
  return (
    <Place
      title="Streamed answers"
      lead="Headers leave before the first byte of a stream, and the cookies with them. What is saved later is stored all the same; within withSession() the log says once that the cookie came too late."
      code={CODE}
      file="app/api/stream/route.ts"
    >
      <StreamReader />
    </Place>
  );
}
