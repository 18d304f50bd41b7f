// A process that owns an embedded database until it is stopped: node own-database.ts <data folder> <purpose> [on signal: stop]
import { startEmbeddedPostgres } from '../embedded-postgres.ts';
import { EmbeddedPostgresError } from '../embedded-postgres-error.ts';

const [dataDir = '', purpose = ''] = process.argv.slice(2);

try {
  const database = await startEmbeddedPostgres({
    dataDir,
    purpose,
    onLoss: (error) => tell({ lost: error.message }),
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => void database.stop().then(() => process.exit(0)));
  }
  process.on('SIGUSR2', () => process.exit(3));
  tell({ connection: database.connection, url: database.url });
  setInterval(() => {}, 60_000);
} catch (error) {
  if (!(error instanceof EmbeddedPostgresError)) throw error;
  tell({ refused: error.message });
}

function tell(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
