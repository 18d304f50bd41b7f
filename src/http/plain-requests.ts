/** Requests that ask for nothing but an answer: they need no Yoga where what they mean is known. */
import type { IncomingMessage } from 'node:http';
import type { DirectPath } from './direct-path/direct-path.ts';
import type { Exchange, LongWay } from './exchange.ts';
import type { HitPath } from './hit-path.ts';

/** Bytes; longer ones are rare, and come in pieces. */
const maxBodyBytes = 16 * 1_024;
/** Headers that change what is answered, or how it is paid for. */
const unplainHeaders = ['x-cost', 'x-request-timeout-ms', 'expect', 'content-encoding', 'transfer-encoding'];

/** Answers a request, or hands it on, at once or later; true: it is answered before this returns. */
export type PlainWay = (exchange: Exchange, goLongWay: LongWay) => boolean;

export interface PlainWays {
  /** Answers what was answered before. */
  readonly hitPath?: Pick<HitPath, 'answer'> | undefined;
  /** Answers what is known to run. */
  readonly directPath?: Pick<DirectPath, 'serve'> | undefined;
}

/** First what was answered before, then what is known to run, then the long way. */
export function createPlainWay({ hitPath, directPath }: PlainWays): PlainWay {
  const answer = (exchange: Exchange, goLongWay: LongWay): boolean => {
    const proceed = () => {
      if (directPath && exchange.verdict === undefined) directPath.serve(exchange, goLongWay);
      else goLongWay(exchange);
    };
    const isAnswered = hitPath?.answer(exchange) ?? false;
    if (isAnswered instanceof Promise) isAnswered.then((isDone) => isDone || proceed(), proceed);
    else if (!isAnswered) proceed();
    return isAnswered === true;
  };
  const answerBody = (exchange: Exchange, goLongWay: LongWay): void => {
    const { request } = exchange;
    exchange.body = request.read(Number(request.headers['content-length']));
    if (exchange.body === null) {
      goLongWay(exchange);
      return;
    }
    request.resume();
    answer(exchange, goLongWay);
  };
  const hasWays = hitPath !== undefined || directPath !== undefined;
  return (exchange, goLongWay) => {
    const { request } = exchange;
    if (!hasWays || !isPlain(request)) goLongWay(exchange);
    else if (request.method === 'GET') return answer(exchange, goLongWay);
    // What came with the headers is there after this turn of the parser; a body that is slow goes the long way.
    else process.nextTick(answerBody, exchange, goLongWay);
    return false;
  };
}

/** GET, or a POST of JSON that is short and says how long; nothing in its headers asks for more than an answer. */
function isPlain({ method, url, headers }: IncomingMessage): boolean {
  if (unplainHeaders.some((name) => headers[name] !== undefined)) return false;
  if (method !== 'POST') return method === 'GET';
  const length = Number(headers['content-length']);
  return url === '/graphql' && headers['content-type'] === 'application/json' && length > 0 && length <= maxBodyBytes;
}
