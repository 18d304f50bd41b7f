import { readBanking77 } from '../models/training/data-files.ts';
import type { Context, Viewer } from '../src/context.ts';
import type { Database, Pool } from '../src/db/database.ts';
import { newId } from '../src/db/id.ts';
import { embedDocument } from '../src/domains/documents/embed-document.ts';
import { createPassageIndex } from '../src/domains/documents/passage-index.ts';
import { insertDocument } from '../src/domains/documents/queries/document.ts';
import { embeddingVersion } from '../src/domains/predictions/embed-texts.ts';
import type { InferenceEngine } from '../src/inference/engine.ts';
import { scanModelRepository } from '../src/inference/repository.ts';
import { createWorkerEngine } from '../src/inference/worker-engine.ts';
import { createOrganization } from '../src/testing/seed-builders.ts';

/** What a search needs of a request, with an organization that has documents. */
export interface BankingDocuments {
  readonly context: Pick<Context, 'database' | 'inference' | 'predictions' | 'semanticCache' | 'signal' | 'vectors'>;
  readonly organizationId: string;
  /** The caller closes it. */
  readonly inference: InferenceEngine;
}

/** As the document of an intent is called. */
export function titleOf(intent: string): string {
  return intent.replaceAll('_', ' ');
}

/** 77 documents, each the training questions of an intent of Banking77 under its name. */
export async function createBankingDocuments(database: Pool, data: string): Promise<BankingDocuments> {
  const inference = await createWorkerEngine({ repository: await scanModelRepository('models') });
  const { signal } = new AbortController();
  const predictions = { record: () => {} };
  const vectors = createPassageIndex({ database });
  const context = { database, inference, predictions, semanticCache: null, signal, vectors };
  const viewer = await createOrganization(database);
  for (const [intent, rows] of Map.groupBy(readBanking77(data, 'train'), (row) => row.intent)) {
    const document = { title: titleOf(intent), content: rows.map(({ text }) => text.trim()).join('\n') };
    const options = { lane: 'bulk' } as const;
    const version = embeddingVersion(inference);
    const embedded = await embedDocument(context, viewer.organizationId, document, version, options);
    await insertBenchDocument(database, viewer, document, embedded);
  }
  return { context, organizationId: viewer.organizationId, inference };
}

type Embedded = NonNullable<Parameters<typeof insertDocument>[3]>;

export function insertBenchDocument(
  database: Database,
  { organizationId, userId }: Viewer,
  document: { title: string; content: string },
  embedded: Embedded,
) {
  return insertDocument(database, organizationId, { ...document, id: newId(), uploadedById: userId }, embedded);
}
