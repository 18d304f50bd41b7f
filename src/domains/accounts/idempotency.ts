import { createHash } from 'node:crypto';
import type DataLoader from 'dataloader';
import { z } from 'zod';
import { type Context, requireViewer } from '../../context.ts';
import type { Database } from '../../db/database.ts';
import { conflict, publicError } from '../../errors.ts';
import { claimIdempotencyKey, findIdempotencyKey, type KeyOwner, keepIdempotentResult } from './queries.ts';

/** The check of an input's idempotencyKey. */
export const idempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, 'expected 1 to 200 visible ASCII characters')
  .optional();

/** The description of an input's idempotencyKey. */
export const idempotencyKeyDescription =
  'A text of the client’s own for this one request, 1 to 200 visible ASCII characters: sent again within 7 days with the ' +
  'same input, it answers what the first request made, as it is now, and makes nothing. With another input it is a ' +
  'CONFLICT; when what it made has been deleted since, NOT_FOUND.';

/** How a result is kept with its key, and found again. */
export interface Keeping<Result, Kept> {
  toKept(result: Result): Kept;
  /** null: some of it is not there any more. */
  load(context: Context, kept: Kept): Promise<Result | null>;
}

/** Keeps rows by their ids; they are found as they are then, in the same order. */
export function keepRows<Row extends { id: string }>(
  rowById: (context: Context) => DataLoader<string, Row | null>,
): Keeping<Row[], string[]> {
  return {
    toKept: (rows) => rows.map((row) => row.id),
    load: async (context, ids) => {
      const loader = rowById(context);
      const rows = await Promise.all(ids.map((id) => loader.clear(id).load(id)));
      return rows.every((row) => row !== null) ? rows : null;
    },
  };
}

/** keepRows for one row. */
export function keepRow<Row extends { id: string }>(
  rowById: (context: Context) => DataLoader<string, Row | null>,
): Keeping<Row, string> {
  return { toKept: (row) => row.id, load: (context, id) => rowById(context).clear(id).load(id) };
}

/** Runs the statements of a mutation and answers their result; null: they wrote nothing. See runOnce. */
export type Write<Result> = (statements: (database: Database) => Promise<Result | null>) => Promise<Result | null>;

export interface OnceOptions<Result, Kept> {
  /** The mutation's name. */
  mutation: string;
  /** What was asked for, as it was understood; its idempotencyKey, if it has one, makes the difference. */
  input: { idempotencyKey?: string | undefined };
  keeping: Keeping<Result, Kept>;
}

/**
 * Does the work of a mutation once for each idempotency key of the viewer. `work` does what is slow first, then calls
 * `write` once with its statements; they use the database they are given and nothing else of the database: within their
 * transaction a second connection could wait for ever. Without a key they run as they are. With one, they run in a
 * transaction that claims the key first, so that they, the key and what finds the result again are there together or
 * not at all. The claim is the one thing that waits for others of the same key, and holds nothing while it waits.
 *
 * Answers what `work` does, or the first result of a key that was used. Statements that answer null or an empty list
 * have written nothing: `write` answers null, and the key stays free.
 * @throws CONFLICT when the key was used for something else, NOT_FOUND when what it made is not there any more
 */
export async function runOnce<Result, Kept, Outcome extends Result | null>(
  context: Context,
  { mutation, input, keeping }: OnceOptions<Result, Kept>,
  work: (write: Write<Result>) => Promise<Outcome>,
): Promise<Result | Outcome> {
  const { idempotencyKey: key, ...rest } = input;
  if (key === undefined) return work(async (statements) => orNull(await statements(context.database)));
  const { organizationId, userId } = requireViewer(context);
  const owner: KeyOwner = { organizationId, userId, key };
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([mutation, rest]))
    .digest('base64url');

  /** What the key made before; null: it is free. */
  async function findFirst(database: Database): Promise<{ kept: Kept } | null> {
    const first = await findIdempotencyKey(database, owner);
    if (first && first.fingerprint !== fingerprint) throw usedForOther(first.mutation);
    return first && { kept: first.result as Kept };
  }

  const before = await findFirst(context.database);
  if (before) return loadFirst(context, keeping, before.kept);
  return work(async (statements) => {
    const outcome = await context.database
      .transaction<Result | Beaten<Kept>>(async (transaction) => {
        if (!(await claimIdempotencyKey(transaction, { ...owner, mutation, fingerprint }))) {
          return new Beaten((await findFirst(transaction))!.kept);
        }
        const result = orNull(await statements(transaction));
        if (result === null) throw refused;
        await keepIdempotentResult(transaction, owner, keeping.toKept(result));
        return result;
      })
      .catch((error: unknown) => {
        if (error === refused) return null;
        throw error;
      });
    return outcome instanceof Beaten ? loadFirst(context, keeping, outcome.kept) : outcome;
  });
}

/** Thrown to roll a claim back. */
const refused = new Error('the statements wrote nothing');

/** Another request with the same key was first. */
class Beaten<Kept> {
  readonly kept: Kept;
  constructor(kept: Kept) {
    this.kept = kept;
  }
}

async function loadFirst<Result, Kept>(context: Context, keeping: Keeping<Result, Kept>, kept: Kept): Promise<Result> {
  const result = await keeping.load(context, kept);
  if (result !== null) return result;
  const message = 'what was made with this key has been deleted since';
  const path = 'input.idempotencyKey';
  throw publicError('NOT_FOUND', `${path}: ${message}`, { issues: [{ path, message }] });
}

function usedForOther(mutation: string) {
  return conflict(
    `input.idempotencyKey: it was used before, by ${mutation} with other input: send the same input again, or a new key`,
  );
}

function orNull<Result>(result: Result | null): Result | null {
  return Array.isArray(result) && result.length === 0 ? null : result;
}
