/** Features, test cases and deployments by the hundred thousand, made inside Postgres with the rules of features.ts. */
import { sql } from 'drizzle-orm';
import { arg, bare, statement } from '../../db/statement.ts';
import { deployments, features, testCases } from '../../domains/features/tables.ts';
import { choice, countAt, gauss, idAtMs, share, timeAtMs, waitMs } from './expressions.ts';
import { deploymentsPerFeature, testCasesPerFeature } from './scale.ts';

const i = sql.raw('i');
const nowMs = sql`${arg('nowMs')}::bigint`;
const dayMs = sql.raw('86400000::bigint');

/**
 * The life of the features numbered from..to (exclusive) of `total`, oldest first. Each step is materialized, or Postgres
 * would evaluate an expression once for every place that uses it.
 */
const lives = sql`born as materialized (
    select i::bigint as i, (${nowMs} - ${dayMs} * 365 * power(1 - (i + 0.5::float8) / ${arg('total')}::bigint, 1.35))::bigint as ms
    from generate_series(${arg('from')}::bigint, ${arg('to')}::bigint - 1) as i
  ), created as materialized (
    select i, least(ms, ${nowMs} - 60000) as ms, (ms / ${dayMs} * ${dayMs} + (7 + 11 * ${share(i, 1)}) * 3600000)::bigint as at_work_ms
    from born
  ), begun as materialized (
    select i, case when at_work_ms < ${nowMs} then at_work_ms else ms end as created_ms, ${waitMs(i, 2, 40)} as wait_ms,
      case when ${share(i, 5)} < 0.08 then ${waitMs(i, 6, 40)} end as until_cancelled_ms
    from created
  ), worked as materialized (
    select i, created_ms, created_ms + wait_ms::bigint as started_ms, created_ms + until_cancelled_ms::bigint as cancelled_ms,
      created_ms + (wait_ms + ${dayMs} + ${waitMs(i, 3, 25)})::bigint as review_ms, (0.1 * ${dayMs} + ${waitMs(i, 4, 12)})::bigint as review_for_ms
    from begun
  ), ended as materialized (
    select i, created_ms, started_ms, review_ms, review_ms + review_for_ms as done_ms,
      case
        when cancelled_ms < least(review_ms + review_for_ms, ${nowMs}) then 'CANCELLED'
        when review_ms + review_for_ms <= ${nowMs} then 'DONE'
        when review_ms <= ${nowMs} then 'IN_REVIEW'
        when started_ms <= ${nowMs} then 'IN_PROGRESS'
        else 'PLANNED'
      end::feature_status as status, cancelled_ms
    from worked
  ), lives as materialized (
    select i, created_ms, least(started_ms, ${nowMs}) as started_ms, status, ${idAtMs(sql.raw('created_ms'), i, 10)} as id,
      case status
        when 'CANCELLED' then cancelled_ms
        when 'DONE' then done_ms
        when 'IN_REVIEW' then review_ms
        when 'IN_PROGRESS' then started_ms + (${share(i, 7)} * (${nowMs} - started_ms))::bigint
        else created_ms + (greatest(0, ${share(i, 8)} - 0.7) * (${nowMs} - created_ms))::bigint
      end as updated_ms
    from ended
  )`;
const textOf = choice(i, 9, sql`${arg('texts')}::integer`);

/** Arguments: organizationId, from, to (numbers of features), total, nowMs, texts and owners (rows of the word tables). */
export const insertBulkFeatures = statement<never>(
  'insertBulkFeatures',
  sql`with ${lives}
    insert into ${features} (${bare(features.organizationId, features.id, features.name, features.description, features.status)},
      ${bare(features.complexityPoints, features.ownerId, features.createdAt, features.updatedAt)},
      ${bare(features.completedAt, features.isPublic)})
    select ${arg('organizationId')}::uuid, lives.id, texts.name, texts.description, status,
      (array[1,2,2,3,3,3,5,5,5,8,8,13,20,40])[1 + ${choice(i, 13, sql.raw('14'))}], owners.id,
      ${timeAtMs(sql.raw('created_ms'))}, ${timeAtMs(sql.raw('updated_ms'))},
      case when status = 'DONE' then ${timeAtMs(sql.raw('updated_ms'))} end, status <> 'CANCELLED' and ${share(i, 15)} < 0.02
    from lives
    join seed_texts as texts on texts.n = ${textOf}
    join seed_users as owners on owners.n = ${choice(i, 14, sql`${arg('owners')}::integer`)}`,
);

const k = sql.raw('(i * 16 + j)');

/** Arguments as above, without owners. */
export const insertBulkTestCases = statement<never>(
  'insertBulkTestCases',
  sql`with ${lives}, cases as materialized (
      select lives.id as feature_id, status, texts.test_names[j] as name, ${share(k, 20)} as luck,
        created_ms + (${share(k, 21)} * (updated_ms - created_ms))::bigint as ms, ${k} as k
      from lives join seed_texts as texts on texts.n = ${textOf},
        generate_series(1, ${countAt(i, testCasesPerFeature)}) as j
    )
    insert into ${testCases} (${bare(testCases.organizationId, testCases.id, testCases.featureId, testCases.name)},
      ${bare(testCases.status, testCases.createdAt)})
    select ${arg('organizationId')}::uuid, ${idAtMs(sql.raw('ms'), sql.raw('k'), 22)}, feature_id, name,
      case status
        when 'PLANNED' then 'PENDING'
        when 'IN_PROGRESS' then case when luck < 0.5 then 'PENDING' when luck < 0.8 then 'PASSED' when luck < 0.95 then 'FAILED' else 'SKIPPED' end
        when 'IN_REVIEW' then case when luck < 0.1 then 'PENDING' when luck < 0.8 then 'PASSED' when luck < 0.95 then 'FAILED' else 'SKIPPED' end
        when 'DONE' then case when luck < 0.01 then 'PENDING' when luck < 0.91 then 'PASSED' when luck < 0.94 then 'FAILED' else 'SKIPPED' end
        else case when luck < 0.4 then 'PENDING' when luck < 0.6 then 'PASSED' when luck < 0.7 then 'FAILED' else 'SKIPPED' end
      end::test_status,
      ${timeAtMs(sql.raw('ms'))}
    from cases`,
);

/** Arguments: organizationId, from, to, total and nowMs. Each feature's are in the order of their environments. */
export const insertBulkDeployments = statement<never>(
  'insertBulkDeployments',
  sql`with ${lives}, steps as materialized (
      select lives.id as feature_id, least(started_ms, updated_ms) as first_ms, count, j, ${k} as k,
        case when status in ('IN_PROGRESS', 'PLANNED') then ${nowMs} else updated_ms end as last_ms,
        case
          when status in ('PLANNED', 'CANCELLED') or j * 3 <= count or count = 1 and ${share(i, 29)} < 0.5 then 'DEVELOPMENT'
          when status <> 'DONE' or j * 3 <= count * 2 then 'STAGING'
          else 'PRODUCTION'
        end::environment as environment
      from lives, lateral (select ${countAt(i, deploymentsPerFeature)} as count) as counts, generate_series(1, count) as j
    ), placed as materialized (
      select feature_id, environment, k, j, first_ms + ((j - 1 + ${share(sql.raw('k'), 30)}) / count * (last_ms - first_ms))::bigint as ms
      from steps
    ), finished as materialized (
      select *, ${share(sql.raw('k'), 31)} as luck, ms + (60000 * exp(0.45 * ${gauss(sql.raw('k'), 32)})
        * case environment when 'DEVELOPMENT' then 2.5 when 'STAGING' then 5 else 9 end)::bigint as finished_ms
      from placed
    )
    insert into ${deployments} (${bare(deployments.organizationId, deployments.id, deployments.featureId, deployments.version)},
      ${bare(deployments.environment, deployments.status, deployments.createdAt, deployments.finishedAt)})
    select ${arg('organizationId')}::uuid, ${idAtMs(sql.raw('ms'), sql.raw('k'), 34)}, feature_id,
      to_char(${timeAtMs(sql.raw('ms'))}, 'FMYYYY.FMWW.FMDDD') || '.' || j, environment,
      case
        when finished_ms > ${nowMs} then case when luck < 0.5 then 'PENDING' else 'RUNNING' end
        when luck < case environment when 'DEVELOPMENT' then 0.15 when 'STAGING' then 0.08 else 0.02 end then 'FAILED'
        when luck < case environment when 'DEVELOPMENT' then 0.15 when 'STAGING' then 0.1 else 0.06 end then 'ROLLED_BACK'
        else 'SUCCEEDED'
      end::deployment_status,
      ${timeAtMs(sql.raw('ms'))}, case when finished_ms <= ${nowMs} then ${timeAtMs(sql.raw('finished_ms'))} end
    from finished`,
);
