/** Every page of the Pages Router. */
import '../app/globals.css';
import type { AppProps } from 'next/app';
import type { ReactNode } from 'react';

export default function App({ Component, pageProps }: AppProps): ReactNode {
  return <Component {...pageProps} />;
}
