/** Requests that no client sends, and that servers have read in different ways. */

const POST = 'POST /v1/batch HTTP/1.1\r\nHost: bridge\r\n';
const BEHIND = 'GET /healthz HTTP/1.1\r\nHost: bridge\r\n\r\n';

/** Each ends with a request that must not be found in it. */
export const AMBIGUOUS_REQUESTS: readonly string[] = [
  `${POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${BEHIND}`,
  `${POST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${BEHIND}`,
  `${POST}Content-Length: 0\r\nContent-Length: ${BEHIND.length}\r\n\r\n${BEHIND}`,
  `${POST}Content-Length: 0, 5\r\n\r\n${BEHIND}`,
  `${POST}Content-Length: +5\r\n\r\n${BEHIND}`,
  `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${BEHIND}`,
  `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${BEHIND}`,
  `${POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${BEHIND}`,
  `${POST}Content-Length : 0\r\n\r\n${BEHIND}`,
  `${POST}X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n${BEHIND}`,
  `POST /v1/batch HTTP/1.1\nHost: bridge\nContent-Length: 0\n\n${BEHIND}`,
  `${POST}Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n${BEHIND}`,
  `${POST}Transfer-Encoding: chunked\r\n\r\n1;\u0000\r\nx\r\n0\r\n\r\n${BEHIND}`,
  `POST /v1/batch HTTP/1.1\r\nContent-Length: 0\r\n\r\n${BEHIND}`,
  `${POST}X\u0000: a\r\nContent-Length: 0\r\n\r\n${BEHIND}`,
  `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${BEHIND}`,
];

/** Targets that lead to this session or to the list of nodes for whoever tidies them up first. */
export function otherSpellings(id: string): readonly string[] {
  return [
    `//v1/sessions/${id}`,
    `/v1//sessions/${id}`,
    `/v1/./sessions/${id}`,
    `/v1/%2e/sessions/${id}`,
    `/v1/%2E%2e/v1/sessions/${id}`,
    `/x/../v1/sessions/${id}`,
    `/v1/sessions/%2e%2e/nodes`,
    `/healthz/../v1/nodes`,
    `/%761/nodes`,
    `/v1/sessions/%${id.charCodeAt(0).toString(16)}${id.slice(1)}`,
    `/v1/sessions/${id}%2e0`,
    `/v1/sessions/${id}#x`,
    `http://other/v1/sessions/${id}`,
    `http://bridge/v1/sessions/${id}`,
  ];
}
