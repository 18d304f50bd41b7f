import { sql } from 'drizzle-orm';
import type { Database } from '../db/database.ts';
import { arg, bare, statement } from '../db/statement.ts';
import { answerPauses } from './tables.ts';

const holdByProcess = statement<object>(
  'holdAnswerPause',
  sql`insert into ${answerPauses} (${bare(answerPauses.processId, answerPauses.endsAt)})
    values (${arg('processId')}::uuid, now() + ${arg('milliseconds')}::integer * interval '1 millisecond')
    on conflict (${bare(answerPauses.processId)}) do update set ends_at = excluded.ends_at`,
  { writes: [] },
);

/** From now on, and for so long, nobody is to answer what is kept. */
export async function holdAnswerPause(database: Database, processId: string, milliseconds: number): Promise<void> {
  await holdByProcess.run(database, { processId, milliseconds });
}

const endByProcess = statement<object>(
  'endAnswerPause',
  sql`delete from ${answerPauses} where ${answerPauses.processId} = ${arg('processId')}::uuid or ${answerPauses.endsAt} < now()`,
  { writes: [] },
);

/** Ends the pause of a process, and those that are over. */
export async function endAnswerPause(database: Database, processId: string): Promise<void> {
  await endByProcess.run(database, { processId });
}

const ofOthers = statement<{ isPaused: boolean }>(
  'hasAnswerPause',
  sql`select exists (select from ${answerPauses}
    where ${answerPauses.processId} <> ${arg('processId')}::uuid and ${answerPauses.endsAt} > now()) as "isPaused"`,
);

/** Whether another process holds a pause. */
export async function hasAnswerPause(database: Database, processId: string): Promise<boolean> {
  const [row] = await ofOthers.run(database, { processId });
  return row!.isPaused;
}
