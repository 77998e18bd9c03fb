/** node:http that answers "ok", for comparison. */
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 2 });
  response.end('ok');
});
server.listen(Number(process.env.PORT), '127.0.0.1');
