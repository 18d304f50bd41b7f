import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { decodeCursor } from '../../src/db/cursor.ts';
import { formatDateTime } from '../../src/db/time.ts';
import { parseGlobalId } from '../../src/schema/global-id.ts';
import { killAtExit } from '../../src/testing/undo-at-exit.ts';
import { pin, serverCore } from '../process-cpu.ts';
import type { BenchDatabase } from '../suite/bench-database.ts';
import type { Target } from '../suite/closed-loop.ts';
import type { RawModelSetup } from './raw-model.ts';

/** Ways to an answer from the database, and the folder names of their addresses. */
export type StatementKind = 'one-statement' | 'flat-statements' | 'raw-sql';

/** A request to one of the ways, as our server gets it. */
export interface LimitQuery {
  readonly key: string;
  /** Global ids and cursors are opened for the limit. */
  readonly variables: Readonly<Record<string, unknown>>;
}

/** The bare servers, one process on the core of the server under measurement. */
export interface LimitServer {
  readonly pid: number;
  constant(bytes: string): Promise<Target>;
  /** @throws when its answer is not ours but for how ids, times and cursors are written */
  statements(kind: StatementKind, query: LimitQuery, ownAnswer: string): Promise<Target>;
  /** Its answer is how many numbers came out. */
  rawModel(setup: RawModelSetup): Promise<Target>;
  stop(): Promise<void>;
}

export async function startLimitServer({ url, organizationId }: BenchDatabase): Promise<LimitServer> {
  const file = fileURLToPath(new URL('./server.ts', import.meta.url));
  const child = spawn(process.execPath, [file, url, organizationId], { stdio: ['ignore', 'pipe', 'inherit'] });
  killAtExit(child);
  const [port] = await once(child.stdout!, 'data');
  const origin = `http://127.0.0.1:${String(port).trim()}`;
  const pid = child.pid!;
  pin(pid, serverCore);
  const target = async (path: string, body: string): Promise<Target & { answer: string }> => {
    const request = {
      url: `${origin}/${path}`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    } as const;
    const response = await fetch(request.url, { ...request, body });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${path}: ${answer}`);
    return { pid, ...request, body, isExpected: (got) => got === answer, answer };
  };
  let names = 0;
  const put = async (kind: string, body: string) => {
    const path = `${kind}/${++names}`;
    await fetch(`${origin}/${path}`, { method: 'PUT', body });
    return target(path, '{}');
  };
  return {
    pid,
    constant: (bytes) => put('constant', bytes),
    rawModel: (setup) => put('raw-model', JSON.stringify(setup)),
    async statements(kind, { key, variables }, ownAnswer) {
      const found = await target(`${kind}/${key}`, JSON.stringify({ variables: openVariables(variables) }));
      const [theirs, ours] = [normalize(found.answer), normalize(ownAnswer)];
      if (theirs === ours) return found;
      const at = [...ours].findIndex((character, index) => character !== theirs[index]);
      const part = (text: string) => text.slice(Math.max(0, at - 100), at + 200);
      throw new Error(`${kind}/${key} answers\n${part(theirs)}\nand our server\n${part(ours)}`);
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}

function openVariables(variables: LimitQuery['variables']): Record<string, string> {
  const { after, ...others } = variables as Readonly<Record<string, string>>;
  const opened = Object.entries(others).map(([name, value]) => [name, parseGlobalId(value)?.key ?? value]);
  if (after === undefined) return Object.fromEntries(opened);
  const [createdAt, id] = decodeCursor('features:CREATED_AT', ['timestamptz', 'uuid'], after)!;
  return { ...Object.fromEntries(opened), createdAt: createdAt!, id: id! };
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
