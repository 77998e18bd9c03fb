/** The public surface of the bridge. */
export * from './node.ts';
