/** Fills the cache of answers before a server is ready: what everybody asks for is there for the first who asks. */
import { setTimeout as pause } from 'node:timers/promises';
import { type GraphQLSchema, getOperationAST, parse } from 'graphql';
import type { Logger } from 'pino';
import { answerPolicyOf } from '../../cache/document-policy.ts';
import type { TrustedDocuments } from '../trusted-documents/trusted-documents.ts';
import type { PublicUses, UsedDocument } from './public-uses.ts';

export interface WarmUpOptions {
  /** Of the app: its third argument tells the plugins that nobody asks. */
  fetch(url: string, init: RequestInit, context: WarmUpContext): Promise<Response> | Response;
  readonly schema: GraphQLSchema;
  readonly documents: TrustedDocuments;
  /** What was used most, as far as that is known. Default: only what the manifest lists is run. */
  readonly uses?: Pick<PublicUses, 'most'> | null;
  readonly log: Logger;
  /** Of all together. Default: 2,000. */
  readonly timeoutMs?: number;
  /** Operations at a time. Default: 4. */
  readonly concurrency?: number;
}

/** What no client can send. */
export type WarmUpContext = { readonly isWarmUp: true };

/** Of those listed, and then in the order of their use. */
const maxOperations = 200;

/**
 * Runs what the manifest lists, and the most used trusted documents with their most used variables, where answers are
 * public; so they are kept. Nothing of it counts towards a quota. What is not done in time is left; never rejects.
 */
export async function warmUp(options: WarmUpOptions): Promise<void> {
  const { log, timeoutMs = 2_000 } = options;
  const startedMs = performance.now();
  const run = new Run(options, startedMs + timeoutMs);
  try {
    await Promise.race([run.all(), pause(timeoutMs, undefined, { ref: false })]);
  } catch (error) {
    log.error({ err: error }, 'the warm-up failed');
  }
  const milliseconds = Math.round(performance.now() - startedMs);
  if (run.planned > 0)
    log.info({ kept: run.kept, of: run.planned, milliseconds }, 'answers were made before the first request');
}

class Run {
  planned = 0;
  kept = 0;
  readonly #options: WarmUpOptions;
  readonly #untilMs: number;

  constructor(options: WarmUpOptions, untilMs: number) {
    this.#options = options;
    this.#untilMs = untilMs;
  }

  async all(): Promise<void> {
    const { documents, uses, concurrency = 4 } = this.#options;
    const listed = documents.toWarm.flatMap(({ sha256, warmUp: each = [] }) =>
      each.map((variables) => ({ sha256, variables })),
    );
    const used = (await uses?.most(maxOperations)) ?? [];
    const queue = this.#publicOnes([...listed, ...used]).slice(0, maxOperations);
    this.planned = queue.length;
    const work = async () => {
      for (let next = queue.shift(); next && performance.now() < this.#untilMs; next = queue.shift()) {
        await this.#one(next);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, work));
  }

  async #one({ sha256, variables }: UsedDocument): Promise<void> {
    const remainingMs = Math.max(1, Math.ceil(this.#untilMs - performance.now()));
    const headers = { 'content-type': 'application/json', 'x-request-timeout-ms': String(remainingMs) };
    const body = JSON.stringify({ documentId: sha256, variables });
    const response = await this.#options.fetch(
      'http://warm-up/graphql',
      { method: 'POST', headers, body },
      { isWarmUp: true },
    );
    await response.text();
    if (response.headers.has('cache-status')) this.kept += 1;
  }

  /** Each once; what Redis says is not believed: no mutation is run, and nothing that is somebody's. */
  #publicOnes(all: readonly UsedDocument[]): UsedDocument[] {
    const isPublic = new Map<string, boolean>();
    const seen = new Set<string>();
    return all.filter(({ sha256, variables }) => {
      const key = `${sha256} ${JSON.stringify(variables)}`;
      if (seen.has(key)) return false;
      seen.add(key);
      if (!isPublic.has(sha256)) isPublic.set(sha256, this.#isPublic(sha256));
      return isPublic.get(sha256);
    });
  }

  #isPublic(sha256: string): boolean {
    const { schema, documents } = this.#options;
    const found = documents.find(sha256);
    if (!found) return false;
    try {
      const document = parse(found.body);
      // Null where there are several.
      const operation = getOperationAST(document);
      return operation != null && answerPolicyOf(schema, document, operation)?.scope === 'public';
    } catch {
      return false;
    }
  }
}
