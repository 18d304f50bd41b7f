/**
 * Answers what was answered before at the listener, before there is a Request or a Yoga context: the same bytes, behind the
 * same checks of token and quotas. Whatever is not plain goes the long way, which also teaches what a request means.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Answer, AnswerCache } from '../cache/answer-cache.ts';
import type { Dependencies, Viewer } from '../context.ts';
import type { CacheScope } from '../schema/policy.ts';
import { answerHeaders, isUnchanged } from './answer-headers.ts';
import { holderOf } from './answer-holder.ts';
import { clientAddress } from './rate-limit/client-address.ts';
import type { RateLimiter } from './rate-limit/rate-limiter.ts';
import { rateHeaders } from './rate-limit/use-rate-limit.ts';

/** What a request asks for, known from when it was answered the long way. */
export interface Plan {
  /** Of the operation, and of its variables. */
  readonly operationKey: string;
  readonly variablesKey: string;
  readonly scope: CacheScope;
  readonly cost: number;
  readonly contentType: string;
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
/** Headers that change what is answered, or how it is paid for. */
const unplainHeaders = ['x-cost', 'x-request-timeout-ms', 'expect', 'content-encoding', 'transfer-encoding'];

export class HitPath {
  readonly #options: HitPathOptions;
  readonly #plans = new LRUCache<string, Plan>({
    maxSize: maxPlanBytes,
    sizeCalculation: (_plan, key) => planBytes + key.length,
  });
  readonly #requestKeys = new WeakMap<IncomingMessage, string>();
  readonly #bodies = new WeakMap<IncomingMessage, Buffer>();

  constructor(options: HitPathOptions) {
    this.#options = options;
  }

  /** Answers a request, or calls `next`. */
  serve(request: IncomingMessage, response: ServerResponse, next: () => void): void {
    const accept = request.headers.accept ?? '';
    if (!isPlain(request) || accept.length > maxAcceptLength) next();
    else if (request.method === 'GET') this.#serveKey(`GET ${accept}\n${request.url}`, request, response, next);
    // What came with the headers is there after this turn of the parser; a body that is slow goes the long way.
    else {
      process.nextTick(() => {
        const body: Buffer | null = request.read(Number(request.headers['content-length']));
        if (body === null) return next();
        this.#bodies.set(request, body);
        request.resume();
        return this.#serveKey(`POST ${accept}\n${body.toString('latin1')}`, request, response, next);
      });
    }
  }

  /** The body that was read already; undefined: it is still to be read. */
  bodyOf(request: IncomingMessage): Buffer | undefined {
    return this.#bodies.get(request);
  }

  /** Notes what a request that was answered the long way means. */
  learn(request: IncomingMessage, plan: Plan): void {
    const key = this.#requestKeys.get(request);
    if (key !== undefined) this.#plans.set(key, plan);
  }

  /** Forgets all plans: what may be asked has changed. */
  forget(): void {
    this.#plans.clear();
  }

  #serveKey(requestKey: string, request: IncomingMessage, response: ServerResponse, next: () => void): void {
    const plan = this.#plans.get(requestKey);
    if (plan) {
      this.#answer(plan, request, response).then((isAnswered) => isAnswered || next(), next);
      return;
    }
    if (requestKey.length <= maxRequestLength) this.#requestKeys.set(request, requestKey);
    next();
  }

  async #answer(plan: Plan, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const { cache, rateLimiter } = this.#options;
    const viewer = await this.#viewerOf(request, plan.scope);
    const holder = holderOf(plan.scope, viewer);
    if (holder === null) return false;
    const answer = await cache.peek(`${plan.operationKey}:${holder}:${plan.variablesKey}`);
    if (answer === null || response.destroyed) return false;
    const verdict = rateLimiter?.consume({
      viewerKey: viewer ? `${viewer.organizationId}:${viewer.userId}` : null,
      address: this.#addressOf(request),
      points: plan.cost,
    });
    if (verdict?.isAllowed === false) return false;
    send(request, response, answer, { ...plan, quota: verdict ? rateHeaders(verdict) : {} });
    return true;
  }

  #viewerOf({ headers }: IncomingMessage, scope: CacheScope): Promise<Viewer | null> | Viewer | null {
    if (scope === 'public' && headers.authorization === undefined) return null;
    const get = (name: string) => headers[name] ?? null;
    return this.#options.authenticate({ headers: { get } } as unknown as Request);
  }

  #addressOf({ headers, socket }: IncomingMessage): string {
    const { trustedProxies } = this.#options;
    const forwardedFor = headers['x-forwarded-for'];
    return clientAddress(socket.remoteAddress, trustedProxies > 0 ? String(forwardedFor ?? '') : null, trustedProxies);
  }
}

/** GET, or a POST of JSON that is short and says how long; nothing in its headers asks for more than an answer. */
function isPlain({ method, url, headers }: IncomingMessage): boolean {
  if (unplainHeaders.some((name) => headers[name] !== undefined)) return false;
  if (method !== 'POST') return method === 'GET';
  const length = Number(headers['content-length']);
  return (
    url === '/graphql' && headers['content-type'] === 'application/json' && length > 0 && length <= maxRequestLength
  );
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  { contentType, scope, quota }: Plan & { quota: Record<string, string> },
): void {
  const headers = { ...answerHeaders(request.method, answer, scope, 'hit'), ...quota };
  if (isUnchanged(request.method, request.headers['if-none-match'], answer)) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, { ...headers, 'content-type': contentType, 'content-length': answer.body.length });
  response.end(answer.body);
}
