import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { decodeCursor } from '../../src/db/cursor.ts';
import { formatDateTime } from '../../src/db/time.ts';
import { parseGlobalId } from '../../src/schema/global-id.ts';
import type { BenchQuery } from '../four-queries.ts';
import { pin, serverCore } from '../process-cpu.ts';
import type { BenchDatabase } from '../suite/bench-database.ts';
import type { Target } from '../suite/closed-loop.ts';
import type { LimitVariables } from './server.ts';

export const limitKinds = ['constant', 'one-statement', 'flat-statements'] as const;
export type LimitKind = (typeof limitKinds)[number];

/** The bare servers, one process on the core of the server under measurement. */
export interface LimitServer {
  readonly pid: number;
  /**
   * Answers of a kind to a query.
   * @param ownAnswer the bytes that the constant answers, and what the other kinds' answers must be but for how ids, times
   *   and cursors are written
   * @throws when they are not
   */
  targetOf(kind: LimitKind, query: BenchQuery, ownAnswer: string): Promise<Target>;
  /** Any bytes under a name. */
  constantOf(name: string, bytes: string): Promise<Target>;
  stop(): Promise<void>;
}

export async function startLimitServer({ url, organizationId }: BenchDatabase): Promise<LimitServer> {
  const file = fileURLToPath(new URL('./server.ts', import.meta.url));
  const child = spawn(process.execPath, [file, url, organizationId], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = await once(child.stdout!, 'data');
  const origin = `http://127.0.0.1:${String(port).trim()}`;
  const pid = child.pid!;
  pin(pid, serverCore);
  const target = (path: string, body: string, expected: string): Target => ({
    pid,
    url: `${origin}/${path}`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    isExpected: (answer) => answer === expected,
  });
  const constantOf = async (name: string, bytes: string) => {
    await fetch(`${origin}/constant/${name}`, { method: 'PUT', body: bytes });
    return target(`constant/${name}`, '{}', bytes);
  };
  return {
    pid,
    constantOf,
    async targetOf(kind, query, ownAnswer) {
      if (kind === 'constant') return constantOf(query.key, ownAnswer);
      const path = `${kind}/${query.key}`;
      const body = JSON.stringify({ variables: limitVariables(query) });
      const answer = await (await fetch(`${origin}/${path}`, { method: 'POST', body })).text();
      const [theirs, ours] = [normalize(answer), normalize(ownAnswer)];
      if (theirs !== ours)
        throw new Error(`${path} answers ${theirs.slice(0, 500)}, and our server ${ours.slice(0, 500)}`);
      return target(path, body, answer);
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}

/** Ids and cursors as they are inside. */
function limitVariables({ variables }: BenchQuery): Partial<LimitVariables> {
  const { id, after } = variables as { id?: string; after?: string };
  if (id !== undefined) return { id: parseGlobalId(id)!.key };
  if (after === undefined) return {};
  const [createdAt, key] = decodeCursor('features:CREATED_AT', ['timestamptz', 'uuid'], after)!;
  return { createdAt: createdAt!, id: key! };
}

/** An answer with plain ids, times in milliseconds and cursors that are open. */
function normalize(answer: string): string {
  return JSON.stringify(JSON.parse(answer), (name, value: unknown) => {
    if (typeof value !== 'string') return value;
    if (name === 'id') return parseGlobalId(value)?.key ?? value;
    if (name.endsWith('At')) return inMilliseconds(value);
    if (name === 'endCursor') return openCursor(value);
    return value;
  });
}

function openCursor(cursor: string): unknown {
  const text = Buffer.from(cursor, 'base64url').toString();
  const [createdAt, id] = JSON.parse(text.slice(text.indexOf('['))) as [string, string];
  return [inMilliseconds(createdAt), id];
}

function inMilliseconds(time: string): string {
  return new Date(formatDateTime(time)).toISOString();
}
