/** Whether this instance answers; asks nobody else. */
export function GET(): Response {
  return Response.json({ status: 'ok' });
}
