/** A bare node:http server that answers the bytes it is given as its argument, on the port given next, or a free one; it prints it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const body = Buffer.from(process.argv[2] ?? '');
const headers = { 'content-type': 'application/json', 'content-length': body.length };
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, headers);
  response.end(body);
});
server.listen(Number(process.argv[3] ?? 0), '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
