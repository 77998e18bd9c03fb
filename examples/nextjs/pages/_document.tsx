/** The frame of every page of the Pages Router. */
import { Head, Html, Main, NextScript } from 'next/document';
import type { ReactNode } from 'react';

export default function Document(): ReactNode {
  return (
    <Html lang="en">
      <Head>
        <link rel="icon" href="/icon.svg" type="image/svg+xml" />
      </Head>
      <body>
        <Main />
        <NextScript />
      </body>
    </Html>
  );
}
