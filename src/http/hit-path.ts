/**
 * Answers what was answered before at the listener, before there is a Request or a Yoga context: the same bytes, behind the
 * same checks of token and quotas. Whatever is not plain goes the long way, which also teaches what a request means.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Answer, AnswerCache } from '../cache/answer-cache.ts';
import { answerKeyOf } from '../cache/answer-key.ts';
import type { OperationRecord } from '../cache/operation-record.ts';
import type { Dependencies, Viewer } from '../context.ts';
import type { CacheScope } from '../schema/policy.ts';
import { answerHeaders, etagOf, formAtClient } from './answer-headers.ts';
import { holderOf } from './answer-holder.ts';
import type { BaseHeaders } from './base-headers.ts';
import { encodingFor } from './encoding/accept-encoding.ts';
import { EncodedBodies } from './encoding/encoded-bodies.ts';
import { clientAddress } from './rate-limit/client-address.ts';
import type { RateLimiter } from './rate-limit/rate-limiter.ts';
import { rateHeaders } from './rate-limit/use-rate-limit.ts';

/** What a request asks for, known from when it was answered the long way. */
export interface Plan {
  /** Of the operation, and of its variables. */
  readonly operationKey: string;
  readonly variablesKey: string;
  readonly record: OperationRecord;
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

/** A request on its way, with what its answer has whoever writes it. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly base: BaseHeaders;
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
  /** Bodies that were compressed, for the long way too: both send the same. */
  readonly encodedBodies = new EncodedBodies();
  readonly #options: HitPathOptions;
  readonly #plans = new LRUCache<string, Plan>({
    maxSize: maxPlanBytes,
    sizeCalculation: (_plan, key) => planBytes + key.length,
  });
  /** How often the plans were forgotten. */
  #generation = 0;
  readonly #unplanned = new WeakMap<IncomingMessage, { requestKey: string; generation: number }>();
  readonly #bodies = new WeakMap<IncomingMessage, Buffer>();

  constructor(options: HitPathOptions) {
    this.#options = options;
  }

  /** Answers a request, or calls `next`, at once or later; true: it is answered before this returns. */
  serve(request: IncomingMessage, response: ServerResponse, base: BaseHeaders, next: () => void): boolean {
    const exchange = { request, response, base };
    const accept = request.headers.accept ?? '';
    if (!isPlain(request) || accept.length > maxAcceptLength) next();
    else if (request.method === 'GET') return this.#serveKey(`GET ${accept}\n${request.url}`, exchange, next);
    // What came with the headers is there after this turn of the parser; a body that is slow goes the long way.
    else {
      process.nextTick(() => {
        const body: Buffer | null = request.read(Number(request.headers['content-length']));
        if (body === null) return next();
        request.resume();
        this.#serveKey(`POST ${accept}\n${body.toString('latin1')}`, exchange, () => {
          this.#bodies.set(request, body);
          next();
        });
      });
    }
    return false;
  }

  /** The body that was read already; undefined: it is still to be read. */
  bodyOf(request: IncomingMessage): Buffer | undefined {
    return this.#bodies.get(request);
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

  #serveKey(requestKey: string, exchange: Exchange, next: () => void): boolean {
    const plan = this.#plans.get(requestKey);
    if (plan === undefined) {
      if (requestKey.length <= maxRequestLength) {
        this.#unplanned.set(exchange.request, { requestKey, generation: this.#generation });
      }
      next();
      return false;
    }
    let isAnswered: boolean | Promise<boolean> = false;
    try {
      isAnswered = this.#answer(plan, exchange);
    } catch {
      // The long way says what is wrong.
    }
    if (typeof isAnswered !== 'boolean') isAnswered.then((isDone) => isDone || next(), next);
    else if (!isAnswered) next();
    return isAnswered === true;
  }

  #answer(plan: Plan, exchange: Exchange): boolean | Promise<boolean> {
    return whenKnown(this.#viewerOf(exchange.request, plan.scope), (viewer) => {
      const holder = holderOf(plan.scope, viewer);
      if (holder === null) return false;
      const answer = this.#options.cache.peek(answerKeyOf(plan.operationKey, holder, plan.variablesKey), plan.record);
      return whenKnown(answer, (found) => found !== null && this.#send(found, plan, viewer, exchange));
    });
  }

  #send(answer: Answer, plan: Plan, viewer: Viewer | null, exchange: Exchange): boolean | Promise<boolean> {
    const { request, response, base } = exchange;
    if (response.destroyed) return false;
    const verdict = this.#options.rateLimiter?.consume({
      viewerKey: viewer ? `${viewer.organizationId}:${viewer.userId}` : null,
      address: this.#addressOf(request),
      points: plan.cost,
    });
    if (verdict?.isAllowed === false) return false;
    const { method, headers } = request;
    const encoding = encodingFor(headers['accept-encoding'] as string | undefined, answer.body.length);
    const form = formAtClient({ method, ifNoneMatch: headers['if-none-match'] }, answer, encoding);
    const options = { method, scope: plan.scope, source: 'hit', encoding: form ?? encoding, vary: base.vary } as const;
    const sent = base.headers.concat(answerHeaders(answer, options));
    if (verdict) for (const [name, value] of Object.entries(rateHeaders(verdict))) sent.push(name, value);
    if (form !== null) {
      response.writeHead(304, sent).end();
      return true;
    }
    sent.push('content-type', plan.contentType);
    if (encoding === 'identity') return write(response, sent, answer.body);
    sent.push('content-encoding', encoding);
    const encoded = this.encodedBodies.find(etagOf(answer, encoding), answer.body, encoding);
    return whenKnown(encoded, (body) => write(response, sent, body));
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

/** Goes on at once with what is known at once: with promises alone a hit costs 5 % more. */
function whenKnown<Value, Result>(
  value: Value | Promise<Value>,
  use: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return value instanceof Promise ? value.then(use) : use(value);
}

function write(response: ServerResponse, headers: string[], body: Buffer): true {
  headers.push('content-length', String(body.length));
  response.writeHead(200, headers).end(body);
  return true;
}
