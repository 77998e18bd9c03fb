/** node:http that answers with what bare memjs reads: no tokens, no copies, no failover. The floor for a bridge. */
import { createServer } from 'node:http';
import { Client, Server } from 'memjs';

const node = new Server('127.0.0.1', Number(process.env.NODE_PORT), '', '', { timeout: 1 });
const client = new Client([node], { retries: 1 });
const server = createServer((request, response) => {
  client.get(request.url.slice(1), (error, value) => {
    if (error !== null || value === null) {
      response.writeHead(404);
      response.end();
      return;
    }
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': value.length });
    response.end(value);
  });
});
server.listen(Number(process.env.PORT), '127.0.0.1');
