/** The frame of a page that shows one place in which a session is used. */
import Link from 'next/link';
import type { ReactNode } from 'react';
import { Code } from './code';

interface Props {
  readonly title: string;
  /** One or two sentences. */
  readonly lead: ReactNode;
  /** How it is done. */
  readonly code: string;
  /** Where in this app's sources it is done. */
  readonly file: string;
  /** The same, live. */
  readonly children: ReactNode;
}

export function Place({ title, lead, code, file, children }: Props): ReactNode {
  return (
    <article className="place">
      <p className="crumb">
        <Link href="/places">Places</Link>
      </p>
      <h1>{title}</h1>
      <p className="lead">{lead}</p>
      <section className="live" aria-label="Try it">
        {children}
      </section>
      <figure>
        <Code>{code}</Code>
        <figcaption>
          In this app: <code>{file}</code>
        </figcaption>
      </figure>
    </article>
  );
}
