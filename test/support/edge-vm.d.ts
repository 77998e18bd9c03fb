/** The part of @edge-runtime/vm that tests use; it is not among the repository's own dependencies. */
declare module '@edge-runtime/vm' {
  export class EdgeVM {
    evaluate(code: string): unknown;
  }
}
