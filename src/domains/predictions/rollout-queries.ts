import { sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { arg, bare, columns, statement } from '../../db/statement.ts';
import type { LoadedVersion } from '../../inference/engine.ts';
import { type ModelRollout, modelRollouts } from './tables.ts';
import { defaultVersion } from './version-choice.ts';

// A transaction may have taken its time until it was committed; no request takes as long as this.
const commitGrace = sql`interval '60 seconds'`;
const ofModel = sql`${modelRollouts.organizationId} = ${arg('organizationId')} and ${modelRollouts.model} = ${arg('model')}`;
// Later than before even when the clock was set back: the time tells one state of a row from the next.
const laterThanBefore = sql`greatest(clock_timestamp(), ${modelRollouts.updatedAt} + interval '1 microsecond')`;

const listChanged = statement<ModelRollout>(
  'listChangedRollouts',
  sql`select ${columns(modelRollouts)} from ${modelRollouts}
    where ${modelRollouts.updatedAt} > ${arg('since')}::timestamptz - ${commitGrace}`,
);

/**
 * Rollouts of all organizations that changed after a time of the database (`-infinity`: all), and some that changed a
 * little before it; in no order. For the process, never for a request.
 */
export function listChangedRollouts(database: Database, since: string): Promise<ModelRollout[]> {
  return listChanged.run(database, { since });
}

const findOne = statement<ModelRollout>(
  'findModelRollout',
  sql`select ${columns(modelRollouts)} from ${modelRollouts} where ${ofModel}`,
);

/** The rollout of a model as the database has it; null: there is none. */
export async function findModelRollout(
  database: Database,
  organizationId: string,
  model: string,
): Promise<ModelRollout | null> {
  const [row] = await findOne.run(database, { organizationId, model });
  return row ?? null;
}

/** What an organization sets of a rollout; the rest follows from what was before. */
export type RolloutChange = Omit<ModelRollout, 'baselineVersion' | 'updatedAt' | 'returnedReason'>;

// The loaded version with the largest weight so far, the old baseline first among equals; that one when none has any.
const largestBefore = sql`(
      select version from (
        select key as version, value::float8 as weight from jsonb_each_text(${modelRollouts.weights})
        union all select ${modelRollouts.baselineVersion}, 0
      ) as before
      where version = any(${arg('loadedVersions')}::text[])
      order by weight desc, version = ${modelRollouts.baselineVersion} desc, version limit 1
    )`;

const upsert = statement<ModelRollout>(
  'upsertModelRollout',
  sql`insert into ${modelRollouts} (${bare(
    modelRollouts.organizationId,
    modelRollouts.model,
    modelRollouts.weights,
    modelRollouts.baselineVersion,
    modelRollouts.shadowVersion,
    modelRollouts.shadowShare,
    modelRollouts.maxErrorRate,
    modelRollouts.maxLatencyRatio,
    modelRollouts.minCalls,
    modelRollouts.updatedAt,
    modelRollouts.updatedById,
  )})
    values (${arg('organizationId')}, ${arg('model')}, ${arg('weights')}::jsonb, ${arg('defaultVersion')},
      ${arg('shadowVersion')}, ${arg('shadowShare')}, ${arg('maxErrorRate')}, ${arg('maxLatencyRatio')},
      ${arg('minCalls')}, clock_timestamp(), ${arg('updatedById')})
    on conflict (organization_id, model) do update set weights = excluded.weights,
      baseline_version = case when ${modelRollouts.weights} = excluded.weights then ${modelRollouts.baselineVersion}
        else coalesce(${largestBefore}, excluded.baseline_version) end,
      shadow_version = excluded.shadow_version, shadow_share = excluded.shadow_share,
      max_error_rate = excluded.max_error_rate, max_latency_ratio = excluded.max_latency_ratio,
      min_calls = excluded.min_calls, updated_at = ${laterThanBefore}, updated_by_id = excluded.updated_by_id,
      returned_reason = null
    returning ${columns(modelRollouts)}`,
);

/**
 * Sets a rollout and answers it. Its baseline is the version with the largest weight before, of those loaded;
 * the default one of those loaded where there was no rollout, or none of its versions is loaded. The same weights again
 * leave the baseline as it is: what is under trial does not become what to return to.
 */
export async function upsertModelRollout(
  database: Database,
  { weights, ...change }: RolloutChange,
  loaded: readonly LoadedVersion[],
): Promise<ModelRollout> {
  const [row] = await upsert.run(database, {
    ...change,
    weights: JSON.stringify(weights),
    loadedVersions: loaded.map(({ version }) => version),
    defaultVersion: defaultVersion(loaded).version,
  });
  return row!;
}

const returnToBaseline = statement<ModelRollout>(
  'returnModelRollout',
  sql`update ${modelRollouts} set weights = jsonb_build_object(${modelRollouts.baselineVersion}, 1),
      returned_reason = ${arg('reason')}, updated_by_id = null, updated_at = ${laterThanBefore}
    where ${ofModel} and ${modelRollouts.updatedAt} = ${arg('updatedAt')}::timestamptz
    returning ${columns(modelRollouts)}`,
);

/** Gives all weight to the baseline, and says why; null when the rollout is not as it was known any more. */
export async function returnModelRollout(
  database: Database,
  { organizationId, model, updatedAt }: Pick<ModelRollout, 'organizationId' | 'model' | 'updatedAt'>,
  reason: string,
): Promise<ModelRollout | null> {
  const [row] = await returnToBaseline.run(database, { organizationId, model, updatedAt, reason });
  return row ?? null;
}
