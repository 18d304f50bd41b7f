import type { Answer } from '../cache/answer-cache.ts';
import type { CacheScope } from '../schema/policy.ts';
import { type AnswerSource, answerHeaders, etagOf, formAtClient } from './answer-headers.ts';
import { encodingFor } from './encoding/accept-encoding.ts';
import type { EncodedBodies } from './encoding/encoded-bodies.ts';
import type { Exchange } from './exchange.ts';
import type { RateVerdict } from './rate-limit/rate-limiter.ts';
import { rateHeaders } from './rate-limit/use-rate-limit.ts';

export interface KeptOptions {
  readonly scope: CacheScope;
  readonly source: AnswerSource;
  readonly contentType: string;
  /** How the client stands with its quotas; null or undefined: it has none. */
  readonly verdict: RateVerdict | null | undefined;
  readonly encodedBodies: EncodedBodies;
}

/** Sends an answer that is kept, or 304 where the client has it; a promise where it is compressed first. */
export function sendKept(exchange: Exchange, answer: Answer, options: KeptOptions): true | Promise<true> {
  const { request, response, base } = exchange;
  const { method, headers } = request;
  const { scope, source, contentType, verdict, encodedBodies } = options;
  const encoding = encodingFor(headers['accept-encoding'] as string | undefined, answer.body.length);
  const form = formAtClient({ method, ifNoneMatch: headers['if-none-match'] }, answer, encoding);
  const own = answerHeaders(answer, { method, scope, source, encoding: form ?? encoding, vary: base.vary });
  const sent = [...base.headers, ...own];
  if (verdict) for (const [name, value] of Object.entries(rateHeaders(verdict))) sent.push(name, value);
  if (form !== null) {
    response.writeHead(304, sent).end();
    return true;
  }
  sent.push('content-type', contentType);
  if (encoding === 'identity') return write(exchange, sent, answer.body);
  sent.push('content-encoding', encoding);
  const encoded = encodedBodies.find(etagOf(answer, encoding), answer.body, encoding);
  if (encoded instanceof Promise) return encoded.then((body) => write(exchange, sent, body));
  return write(exchange, sent, encoded);
}

function write({ response }: Exchange, headers: string[], body: Buffer): true {
  headers.push('content-length', String(body.length));
  response.writeHead(200, headers).end(body);
  return true;
}
