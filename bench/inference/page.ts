/** A page of conversations with their messages, with and without sentiment, through the whole server but the socket. */
import { execFileSync } from 'node:child_process';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createDemoAuthenticator } from '../../src/auth/demo-viewer.ts';
import { readConfig } from '../../src/config.ts';
import { createPool } from '../../src/db/pool.ts';
import { createApp } from '../../src/http/app.ts';
import type { BatchReport } from '../../src/inference/engine.ts';
import { scanModelRepository } from '../../src/inference/repository.ts';
import { createWorkerEngine } from '../../src/inference/worker-engine.ts';
import { startTestPostgres } from '../../src/testing/test-postgres.ts';
import type { Report } from './report.ts';
import { median } from './statistics.ts';

const features = 500;
const rounds = 40;
const roundsBefore = 5;

const pageQuery = (fields: string) =>
  `{ conversations(first: 100) { nodes { id messages(first: 10) { nodes { id content ${fields} } } } } }`;
const plainQuery = pageQuery('');
const sentimentQuery = pageQuery('sentiment { label score }');

interface Page {
  readonly conversations: { readonly nodes: readonly { readonly messages: { readonly nodes: readonly unknown[] } }[] };
}

/** Batches for a page of 100 conversations with 10 messages each, and the milliseconds that their sentiment adds. */
export async function benchPage(report: Report): Promise<void> {
  report.title('A page of 100 conversations with 10 messages each');
  const server = await startTestPostgres();
  try {
    const args = ['src/seed/cli.ts', '--scale', String(features)];
    execFileSync(process.execPath, args, { env: { DATABASE_URL: server.url }, stdio: ['ignore', 'ignore', 'inherit'] });
    await compare(server.url, report);
  } finally {
    await server.remove();
  }
}

async function compare(url: string, report: Report): Promise<void> {
  const batches: BatchReport[] = [];
  const database = createPool({ connection: url, size: 4 });
  const inference = await createWorkerEngine({
    repository: await scanModelRepository('models'),
    workers: 1,
    onBatch: (batch) => batches.push(batch),
  });
  const app = createApp({
    dependencies: {
      database,
      analyticsDatabase: database,
      inference,
      predictions: { record: () => {} },
      authenticate: createDemoAuthenticator(database),
    },
    log: pino({ level: 'error' }),
    registry: new Registry(),
    settings: { ...readConfig({ RATE_LIMIT_VIEWER: 'off', RATE_LIMIT_ADDRESS: 'off' }), hasGraphiql: false },
  });
  const without: number[] = [];
  const withSentiment: number[] = [];
  let messages = 0;
  for (let round = -roundsBefore; round < rounds; round++) {
    if (round === 0) batches.length = 0;
    const plain = await timePage(app, plainQuery);
    const scored = await timePage(app, sentimentQuery);
    if (round < 0) continue;
    without.push(plain.tookMs);
    withSentiment.push(scored.tookMs);
    messages = scored.messages;
  }
  await inference.close();
  await database.close();
  const rows = batches.reduce((sum, batch) => sum + batch.rows, 0) / rounds;
  const computeMs = batches.reduce((sum, batch) => sum + batch.computeMs, 0) / rounds;
  report.figure(
    `${messages} messages: ${(batches.length / rounds).toFixed(2)} batches a page, ${rows.toFixed(0)} rows after equal texts, ${computeMs.toFixed(1)} ms in the model`,
  );
  const [plain, scored] = [median(without), median(withSentiment)];
  report.figure(
    `${scored.toFixed(1)} ms with sentiment, ${plain.toFixed(1)} ms without: ${(scored - plain).toFixed(1)} ms more, ${(scored / plain).toFixed(2)} times`,
  );
}

async function timePage(
  app: ReturnType<typeof createApp>,
  query: string,
): Promise<{ tookMs: number; messages: number }> {
  const startedAt = performance.now();
  const headers = { 'content-type': 'application/json' };
  const response = await app.fetch('http://bench/graphql', {
    method: 'POST',
    headers,
    body: JSON.stringify({ query }),
  });
  const { data, errors } = (await response.json()) as { data: Page; errors?: unknown };
  const tookMs = performance.now() - startedAt;
  if (errors) throw new Error(JSON.stringify(errors));
  const { nodes } = data.conversations;
  return { tookMs, messages: nodes.reduce((sum, conversation) => sum + conversation.messages.nodes.length, 0) };
}
