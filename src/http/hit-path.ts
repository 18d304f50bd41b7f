/**
 * Answers what was answered before at the listener, before there is a Request or a Yoga context: the same bytes, behind the
 * same checks of token and quotas. Whatever is not plain goes the long way, which also teaches what a request means.
 */
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Answer, AnswerCache } from '../cache/answer-cache.ts';
import { answerKeyOf } from '../cache/answer-key.ts';
import type { OperationRecord } from '../cache/operation-record.ts';
import type { Dependencies, Viewer } from '../context.ts';
import type { CacheScope } from '../schema/policy.ts';
import { holderOf } from './answer-holder.ts';
import { EncodedBodies } from './encoding/encoded-bodies.ts';
import type { Exchange } from './exchange.ts';
import { addressOf } from './rate-limit/client-address.ts';
import type { RateLimiter } from './rate-limit/rate-limiter.ts';
import { viewerKeyOf, viewerOf } from './request-viewer.ts';
import { sendKept } from './send-kept.ts';
import type { PublicUse } from './warm-up/public-uses.ts';

/** What a request asks for, known from when it was answered the long way. */
export interface Plan {
  /** Of the operation, and of its variables. */
  readonly operationKey: string;
  readonly variablesKey: string;
  readonly record: OperationRecord;
  readonly scope: CacheScope;
  readonly cost: number;
  readonly contentType: string;
  /** Where it is counted; null: it is not. */
  readonly use: PublicUse | null;
}

export interface HitPathOptions {
  readonly cache: AnswerCache;
  readonly authenticate: Dependencies['authenticate'];
  readonly trustedProxies: number;
  readonly rateLimiter?: RateLimiter | undefined;
}

/** Characters, or bytes of a body. Longer requests are rare, and would fill the memory of plans. */
const maxRequestLength = 4_096;
const maxPlanBytes = 16 * 1024 * 1024;
/** Beside its key. */
const planBytes = 400;
const maxAcceptLength = 200;

export class HitPath {
  /** Bodies that were compressed, for the long way too: both send the same. */
  readonly encodedBodies = new EncodedBodies();
  readonly #options: HitPathOptions;
  readonly #plans = new LRUCache<string, Plan>({
    maxSize: maxPlanBytes,
    // Twice, as what is counted holds the same variables.
    sizeCalculation: (_plan, key) => planBytes + key.length * 2,
  });
  /** How often the plans were forgotten. */
  #generation = 0;
  readonly #unplanned = new WeakMap<IncomingMessage, { requestKey: string; generation: number }>();

  constructor(options: HitPathOptions) {
    this.#options = options;
  }

  /** Answers a plain request, at once where what that needs is known; false: nothing is known of it. */
  answer(exchange: Exchange): boolean | Promise<boolean> {
    const { request, body } = exchange;
    const { accept = '' } = request.headers;
    const length = body === null ? request.url!.length : body.length;
    if (length > maxRequestLength || accept.length > maxAcceptLength) return false;
    const key = body === null ? `GET ${accept}\n${request.url}` : `POST ${accept}\n${body.toString('latin1')}`;
    const plan = this.#plans.get(key);
    if (plan === undefined) {
      this.#unplanned.set(request, { requestKey: key, generation: this.#generation });
      return false;
    }
    try {
      return this.#answer(plan, exchange);
    } catch {
      // The long way says what is wrong.
      return false;
    }
  }

  /** Notes what a request that was answered the long way means. */
  learn(request: IncomingMessage, plan: Plan): void {
    const noted = this.#unplanned.get(request);
    // A request from before the plans were forgotten may have been let through by what is not so any more.
    if (noted?.generation === this.#generation) this.#plans.set(noted.requestKey, plan);
  }

  /** Forgets all plans: what may be asked has changed. */
  forget(): void {
    this.#generation += 1;
    this.#plans.clear();
  }

  // What is known at once is used at once: with promises alone a hit costs 5 % more.
  #answer(plan: Plan, exchange: Exchange): boolean | Promise<boolean> {
    const viewer = this.#viewerOf(exchange.request, plan.scope);
    if (viewer instanceof Promise) return viewer.then((known) => this.#answerTo(known, plan, exchange));
    return this.#answerTo(viewer, plan, exchange);
  }

  #answerTo(viewer: Viewer | null, plan: Plan, exchange: Exchange): boolean | Promise<boolean> {
    const holder = holderOf(plan.scope, viewer);
    if (holder === null) return false;
    const key = answerKeyOf(plan.operationKey, holder, plan.variablesKey);
    const found = this.#options.cache.peek(key, plan.record);
    if (found instanceof Promise) return found.then((answer) => this.#send(answer, plan, viewer, exchange));
    return this.#send(found, plan, viewer, exchange);
  }

  #send(answer: Answer | null, plan: Plan, viewer: Viewer | null, exchange: Exchange): boolean | Promise<boolean> {
    const { request, response } = exchange;
    if (answer === null || response.destroyed) return false;
    const { rateLimiter, trustedProxies } = this.#options;
    const verdict = rateLimiter?.consume({
      viewerKey: viewerKeyOf(viewer),
      address: addressOf(request, trustedProxies),
      points: plan.cost,
    });
    if (verdict?.isAllowed === false) {
      exchange.verdict = verdict;
      return false;
    }
    plan.use?.add();
    const { scope, contentType } = plan;
    return sendKept(exchange, answer, {
      scope,
      source: 'hit',
      contentType,
      verdict,
      encodedBodies: this.encodedBodies,
    });
  }

  #viewerOf(request: IncomingMessage, scope: CacheScope): Promise<Viewer | null> | Viewer | null {
    if (scope === 'public' && request.headers.authorization === undefined) return null;
    return viewerOf(this.#options.authenticate, request);
  }
}
