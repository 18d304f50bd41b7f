import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface CommitProxy {
  readonly port: number;
  /** Calls `work` at the next answer to a commit, which is then never passed on; the connection stays silent. */
  onNextCommit(work: () => void): void;
  close(): void;
}

const commitAnswer = Buffer.from('COMMIT\0');

/** A proxy in front of Postgres that sees the moment between a commit and the answer to it. */
export async function startCommitProxy(databasePort: number): Promise<CommitProxy> {
  let waiting: (() => void) | null = null;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const database = connect(databasePort, '127.0.0.1');
    let isSilent = false;
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        database.destroy();
      });
    }
    client.on('data', (data) => database.write(data));
    database.on('data', (data: Buffer) => {
      if (waiting !== null && data.includes(commitAnswer)) {
        const work = waiting;
        waiting = null;
        isSilent = true;
        work();
      }
      if (!isSilent) client.write(data);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    onNextCommit(work) {
      waiting = work;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
