/** The public surface. */
export {};
