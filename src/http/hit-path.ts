/**
 * Answers what was answered before at the listener, before there is a Request or a Yoga context: the same bytes, behind the
 * same checks of token and quotas. Whatever is not plain goes the long way, which also teaches what a request means.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
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

/** A request on its way, with what its answer has whoever writes it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly base: BaseHeaders;
}

/** Answers a request the long way. One function for all requests: one for each is garbage of each. */
export type LongWay = (exchange: Exchange) => void;

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
    // Twice, as what is counted holds the same variables.
    sizeCalculation: (_plan, key) => planBytes + key.length * 2,
  });
  /** How often the plans were forgotten. */
  #generation = 0;
  readonly #unplanned = new WeakMap<IncomingMessage, { requestKey: string; generation: number }>();
  readonly #bodies = new WeakMap<IncomingMessage, Buffer>();
  /** Of clients that no proxy speaks for: a connection has one for its life. */
  readonly #addresses = new WeakMap<Socket, string>();

  constructor(options: HitPathOptions) {
    this.#options = options;
  }

  /** Answers a request, or hands it on, at once or later; true: it is answered before this returns. */
  serve(exchange: Exchange, goLongWay: LongWay): boolean {
    const { request } = exchange;
    const { accept = '' } = request.headers;
    if (!isPlain(request) || accept.length > maxAcceptLength) goLongWay(exchange);
    else if (request.method === 'GET') return this.#serveKey(`GET ${accept}\n${request.url}`, exchange, goLongWay);
    // What came with the headers is there after this turn of the parser; a body that is slow goes the long way.
    else process.nextTick(() => this.#serveBody(accept, exchange, goLongWay));
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

  #serveBody(accept: string, exchange: Exchange, goLongWay: LongWay): void {
    const { request } = exchange;
    const body: Buffer | null = request.read(Number(request.headers['content-length']));
    if (body === null) {
      goLongWay(exchange);
      return;
    }
    request.resume();
    this.#serveKey(`POST ${accept}\n${body.toString('latin1')}`, exchange, () => {
      this.#bodies.set(request, body);
      goLongWay(exchange);
    });
  }

  #serveKey(requestKey: string, exchange: Exchange, goLongWay: LongWay): boolean {
    const plan = this.#plans.get(requestKey);
    if (plan === undefined) {
      if (requestKey.length <= maxRequestLength) {
        this.#unplanned.set(exchange.request, { requestKey, generation: this.#generation });
      }
      goLongWay(exchange);
      return false;
    }
    let isAnswered: boolean | Promise<boolean> = false;
    try {
      isAnswered = this.#answer(plan, exchange);
    } catch {
      // The long way says what is wrong.
    }
    if (isAnswered instanceof Promise) finishLater(isAnswered, exchange, goLongWay);
    else if (!isAnswered) goLongWay(exchange);
    return isAnswered === true;
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
    const { request, response, base } = exchange;
    if (answer === null || response.destroyed) return false;
    const verdict = this.#options.rateLimiter?.consume({
      viewerKey: viewer ? `${viewer.organizationId}:${viewer.userId}` : null,
      address: this.#addressOf(request),
      points: plan.cost,
    });
    if (verdict?.isAllowed === false) return false;
    plan.use?.add();
    const { method, headers } = request;
    const { scope, contentType } = plan;
    const encoding = encodingFor(headers['accept-encoding'] as string | undefined, answer.body.length);
    const form = formAtClient({ method, ifNoneMatch: headers['if-none-match'] }, answer, encoding);
    const options = { method, scope, source: 'hit', encoding: form ?? encoding, vary: base.vary } as const;
    const sent = [...base.headers, ...answerHeaders(answer, options)];
    if (verdict) for (const [name, value] of Object.entries(rateHeaders(verdict))) sent.push(name, value);
    if (form !== null) {
      response.writeHead(304, sent).end();
      return true;
    }
    sent.push('content-type', contentType);
    if (encoding === 'identity') return write(response, sent, answer.body);
    sent.push('content-encoding', encoding);
    const encoded = this.encodedBodies.find(etagOf(answer, encoding), answer.body, encoding);
    if (encoded instanceof Promise) return encoded.then((body) => write(response, sent, body));
    return write(response, sent, encoded);
  }

  #viewerOf({ headers }: IncomingMessage, scope: CacheScope): Promise<Viewer | null> | Viewer | null {
    if (scope === 'public' && headers.authorization === undefined) return null;
    const get = (name: string) => headers[name] ?? null;
    return this.#options.authenticate({ headers: { get } } as unknown as Request);
  }

  #addressOf({ headers, socket }: IncomingMessage): string {
    const { trustedProxies } = this.#options;
    if (trustedProxies > 0) {
      return clientAddress(socket.remoteAddress, String(headers['x-forwarded-for'] ?? ''), trustedProxies);
    }
    let address = this.#addresses.get(socket);
    if (address === undefined) {
      address = clientAddress(socket.remoteAddress, null, 0);
      this.#addresses.set(socket, address);
    }
    return address;
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

function finishLater(isAnswered: Promise<boolean>, exchange: Exchange, goLongWay: LongWay): void {
  const handOn = () => goLongWay(exchange);
  isAnswered.then((isDone) => isDone || handOn(), handOn);
}

function write(response: ServerResponse, headers: string[], body: Buffer): true {
  headers.push('content-length', String(body.length));
  response.writeHead(200, headers).end(body);
  return true;
}
