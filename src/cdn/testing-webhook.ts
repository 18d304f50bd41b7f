import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An edge of a test that is spoken to by a webhook, on a free port of loopback. */
export interface TestWebhook {
  readonly url: string;
  /** The tags of every request, oldest first. */
  readonly purges: string[][];
  readonly authorizations: (string | undefined)[];
  /** How it answers; null: not at all. Default: 204. */
  status: number | null;
  close(): void;
}

export async function startTestWebhook(): Promise<TestWebhook> {
  const purges: string[][] = [];
  const authorizations: (string | undefined)[] = [];
  const server = createServer(async (request, response: ServerResponse) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    authorizations.push(request.headers.authorization);
    purges.push((JSON.parse(body) as { tags: string[] }).tags);
    if (webhook.status !== null) response.writeHead(webhook.status).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const webhook: TestWebhook = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/purge`,
    purges,
    authorizations,
    status: 204,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
  return webhook;
}
