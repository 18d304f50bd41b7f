/** A page of conversations with their messages, with and without sentiment, through the whole server but the socket. */
import { execFileSync } from 'node:child_process';
import { createPool } from '../../src/db/pool.ts';
import type { BatchReport } from '../../src/inference/engine.ts';
import { scanModelRepository } from '../../src/inference/repository.ts';
import { createWorkerEngine } from '../../src/inference/worker-engine.ts';
import { startTestPostgres } from '../../src/testing/test-postgres.ts';
import { askInProcess, createInProcessApp, type InProcessApp } from '../in-process-app.ts';
import { median } from '../statistics.ts';
import type { Report } from './report.ts';

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
  const app = createInProcessApp(database, inference);
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

async function timePage(app: InProcessApp, query: string): Promise<{ tookMs: number; messages: number }> {
  const startedAt = performance.now();
  const { conversations } = await askInProcess<Page>(app, query);
  const tookMs = performance.now() - startedAt;
  const messages = conversations.nodes.reduce((sum, conversation) => sum + conversation.messages.nodes.length, 0);
  return { tookMs, messages };
}
