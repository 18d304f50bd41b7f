/**
 * Executes what has gone the long way before straight from node:http: without a Request, Yoga's context and its hooks, but
 * behind the same checks. It sends successes only, the same bytes and headers; whatever is not plain, not prepared or does
 * not succeed goes the long way, which says why. A query is executed again there; a mutation's execution goes with it.
 */
import type { Logger } from 'pino';
import type { AnswerCache } from '../../cache/answer-cache.ts';
import type { CheckListSize, Dependencies } from '../../context.ts';
import type { Exchange, LongWay } from '../exchange.ts';
import type { HitPath } from '../hit-path.ts';
import type { LimitMetrics } from '../limits/limit-metrics.ts';
import type { OperationNames } from '../operation-names.ts';
import { addressOf } from '../rate-limit/client-address.ts';
import type { RateLimiter } from '../rate-limit/rate-limiter.ts';
import type { ObserveOperation } from '../use-operation-metrics.ts';
import { type Asked, type AskedOptions, readAsked } from './asked-operation.ts';
import type { DirectCounts } from './direct-path-counts.ts';
import { DirectRun } from './direct-run.ts';
import {
  type AskedOperation,
  type LetThrough,
  PreparedOperations,
  type PreparedOperationsOptions,
} from './prepared-operations.ts';

export interface DirectPathOptions extends AskedOptions, PreparedOperationsOptions {
  readonly dependencies: Dependencies;
  readonly log: Logger;
  /** Learns the names of trusted operations. */
  readonly operationNames: Pick<OperationNames, 'add'>;
  readonly limitMetrics: Pick<LimitMetrics, 'observeCost'>;
  readonly observe: ObserveOperation;
  readonly counts: DirectCounts;
  readonly listSizeCheck: (requestId: string) => CheckListSize;
  /** Points; what costs more goes the long way. */
  readonly maxCost: number;
  /** What is longer goes the long way. */
  readonly maxBodyBytes: number;
  readonly requestTimeoutMs: number;
  readonly graceMs: number;
  readonly trustedProxies: number;
  /** Default: every client may ask as much as it wants. */
  readonly rateLimiter?: RateLimiter | undefined;
  /** Default: every answer is made anew. */
  readonly answers?: { readonly cache: AnswerCache; readonly hitPath: HitPath } | undefined;
}

const maxAcceptLength = 200;
/** Clients send a few headers, each a million times. */
const maxContentTypes = 200;
const jsonType = /^application\/(?:graphql-response\+)?json; charset=utf-8$/;

export class DirectPath {
  readonly #options: DirectPathOptions;
  readonly #operations: PreparedOperations;
  /** By method and Accept, as only a GET may be answered by a page. */
  readonly #contentTypes = new Map<string, string>();

  constructor(options: DirectPathOptions) {
    this.#options = options;
    this.#operations = new PreparedOperations(options);
  }

  /** Answers a plain request, or hands it on, at once or later. */
  serve(exchange: Exchange, goLongWay: LongWay): void {
    const { request } = exchange;
    const contentType = this.#contentTypes.get(contentTypeKey(request.method, request.headers.accept));
    const asked = contentType === undefined ? null : this.#read(exchange);
    const operation = asked && this.#operations.find(asked);
    // A URL must not write, whatever page it stands in.
    const isRunnable = operation && (operation.mutate === null || exchange.body !== null);
    if (contentType === undefined || !asked || !isRunnable || this.#isRefused(exchange)) {
      this.#options.counts.skipped += 1;
      goLongWay(exchange);
      return;
    }
    new DirectRun(this.#options, { exchange, goLongWay, asked, operation, contentType }).start();
  }

  /** Notes an operation that was let through by the long way. */
  learn(asked: AskedOperation, letThrough: LetThrough): void {
    this.#operations.learn(asked, letThrough);
  }

  /** Notes in which type a result goes to who accepts this. Only for results that ran. */
  learnContentType(method: string, accept: string | null, contentType: string | null): void {
    if (contentType === null || !jsonType.test(contentType) || (accept?.length ?? 0) > maxAcceptLength) return;
    if (this.#contentTypes.size >= maxContentTypes) this.#contentTypes.clear();
    this.#contentTypes.set(contentTypeKey(method, accept), contentType);
  }

  /** null: the long way says what is wrong with it. */
  #read({ request, body }: Exchange): Asked | null {
    if (body !== null && body.length > this.#options.maxBodyBytes) return null;
    try {
      return readAsked(request, body, this.#options);
    } catch {
      return null;
    }
  }

  /** The long way refuses such a request before it asks who sends it. */
  #isRefused({ request }: Exchange): boolean {
    const { rateLimiter, trustedProxies } = this.#options;
    return rateLimiter?.isRefused(addressOf(request, trustedProxies)) ?? false;
  }
}

function contentTypeKey(method: string | undefined, accept: string | null | undefined): string {
  return `${method} ${accept ?? ''}`;
}
