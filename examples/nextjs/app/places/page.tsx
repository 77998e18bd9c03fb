/** The places in Next.js where a session is used. */
import type { Metadata } from 'next';
import Link from 'next/link';
import type { ReactNode } from 'react';
import { PLACES } from '@/lib/places';

export const metadata: Metadata = { title: 'Places' };

export default function Places(): ReactNode {
  return (
    <>
      <h1>Every place a session is touched</h1>
      <p className="lead">
        One call gives the session everywhere. Each place has a page of its own, where you can try it.
      </p>
      <table className="stacking">
        <thead>
          <tr>
            <th scope="col">Place</th>
            <th scope="col">Read</th>
            <th scope="col">Write</th>
          </tr>
        </thead>
        <tbody>
          {PLACES.map(({ path, name, read, write }) => (
            <tr key={path}>
              <th scope="row">
                {/* The page of the Pages Router writes when it is looked at: not before. */}
                <Link href={path} prefetch={false}>
                  {name}
                </Link>
              </th>
              <td data-label="Read">{read}</td>
              <td data-label="Write">{write}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p>
        More to try: two tabs in one <Link href="/cart">cart</Link>, a <Link href="/counter">counter</Link>{' '}
        that loses nothing, and an <Link href="/outage">outage</Link>.
      </p>
    </>
  );
}
