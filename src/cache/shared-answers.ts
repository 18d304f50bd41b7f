/** What all processes keep of answers, in Redis: losing it, or waiting for it, never breaks a request. */
import KeyvRedis from '@keyv/redis';
import { Keyv } from 'keyv';
import { orNull, type Redis } from '../redis/client.ts';
import type { Answer } from './answer-cache.ts';
import { decodeAnswer, encodeAnswer } from './answer-encoding.ts';
import { answerKeyPrefix } from './answer-key.ts';

/** A read: found; nothing there; found, but not to be read or too old; Redis did not answer in time. */
export type SharedRead = 'found' | 'absent' | 'unreadable' | 'failed';
/** A write: done; not tried, as the answer is too large or too much is under way; Redis did not do it. */
export type SharedWrite = 'stored' | 'skipped' | 'failed';

/** What decodeAnswer() knows: how long this process keeps it is its own affair. */
export type SharedAnswer = NonNullable<Awaited<ReturnType<typeof decodeAnswer>>>;

export interface SharedAnswersOptions {
  /** A connection of its own: long values must not delay the log of changes, nor open its breaker. */
  readonly redis: Redis;
  readonly onRead?: (read: SharedRead, milliseconds: number) => void;
  readonly onWrite?: (write: SharedWrite, milliseconds: number) => void;
}

/** Characters: 1 MiB goes through a socket of 1 Gbit/s in 8 ms. */
const maxValueLength = 1024 * 1024;
/** What Redis has not taken yet is memory of this process. */
const maxBytesUnderway = 16 * 1024 * 1024;

export class SharedAnswers {
  readonly #options: SharedAnswersOptions;
  readonly #keyv: Keyv<string>;
  #bytesUnderway = 0;

  constructor(options: SharedAnswersOptions) {
    this.#options = options;
    this.#keyv = createKeyv(options.redis);
  }

  /** null: there is none, or it cannot be known in time. Whether it is fresh is for the caller to say. */
  async read(key: string): Promise<SharedAnswer | null> {
    const startedAt = performance.now();
    const report = (read: SharedRead) => this.#options.onRead?.(read, performance.now() - startedAt);
    const text = await this.#run(() => this.#keyv.get(key));
    if (typeof text !== 'string') {
      report(text === null ? 'failed' : 'absent');
      return null;
    }
    const answer = await decodeAnswer(text);
    report(answer ? 'found' : 'unreadable');
    return answer;
  }

  /** Keeps an answer until it expires. Never rejects: it may just as well not be kept. */
  async write(key: string, answer: Answer): Promise<void> {
    const startedAt = performance.now();
    const hasSpace = this.#bytesUnderway + answer.bytes <= maxBytesUnderway;
    const write = hasSpace ? await this.#writeNow(key, answer) : 'skipped';
    this.#options.onWrite?.(write, performance.now() - startedAt);
  }

  async #writeNow(key: string, answer: Answer): Promise<SharedWrite> {
    this.#bytesUnderway += answer.bytes;
    try {
      const text = await encodeAnswer(answer);
      if (text.length > maxValueLength) return 'skipped';
      const ttlMs = Math.floor(answer.expiresAtMs - performance.now());
      if (ttlMs <= 0) return 'skipped';
      return (await this.#run(() => this.#keyv.set(key, text, ttlMs))) === true ? 'stored' : 'failed';
    } finally {
      this.#bytesUnderway -= answer.bytes;
    }
  }

  /** null: Redis did not do it. */
  #run<T>(work: () => Promise<T>): Promise<T | null> {
    return orNull(this.#options.redis.run(work));
  }
}

/**
 * Keyv over a client that is connected already: it adds the prefix, and throws what Redis says, so that the breaker of
 * `run` hears of it. Left alone it would connect a client that is closed, and answer nothing when Redis is away; `run` sends
 * it no work then. Values are text as they are: an envelope of its own would only be parsed once more.
 */
function createKeyv({ client }: Redis): Keyv<string> {
  const store = new KeyvRedis(client, { keyPrefixSeparator: ':', throwOnErrors: true });
  return new Keyv<string>(store, {
    namespace: answerKeyPrefix,
    useKeyPrefix: false,
    throwOnErrors: true,
    emitErrors: false,
    serialize: ({ value }) => value as string,
    deserialize: <T>(text: string) => ({ value: text as T }),
  });
}
