import { sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { changes, inserts, rowsBy } from '../../db/footprint.ts';
import { idAt, newId } from '../../db/id.ts';
import { keyPart } from '../../db/keyset.ts';
import { createList, createNestedList } from '../../db/list.ts';
import { createListByIds } from '../../db/rows-by-id.ts';
import { arg, bare, columns, statement } from '../../db/statement.ts';
import { epochMs } from '../../db/time.ts';
import type { ForecastRecord, PredictionRecord } from '../../inference/prediction-sink.ts';
import { forecastPoints, type Prediction, predictions, type Reading, readings, type Site, sites } from './tables.ts';

export const siteList = createList<Site>({
  name: 'sites',
  table: sites,
  filters: {},
  orders: { NAME: [keyPart(sites, 'name', 'text'), keyPart(sites, 'id', 'uuid')] },
});

export const readingList = createNestedList<Reading>({
  name: 'readings',
  table: readings,
  parent: readings.siteId,
  properties: ['siteId', 'at', 'loadMw'],
  filters: {
    range: { condition: sql`${readings.at} >= ${arg('rangeFrom')} and ${readings.at} < ${arg('rangeTo')}` },
  },
  orders: { AT: [keyPart(readings, 'at', 'timestamptz')] },
});

export const predictionList = createList<Prediction>({
  name: 'predictions',
  table: predictions,
  filters: {
    model: { condition: sql`${predictions.model} = ${arg('model')}` },
    version: { condition: sql`${predictions.version} = ${arg('version')}` },
    createdAt: { condition: sql`${predictions.id} >= ${arg('idFrom')} and ${predictions.id} < ${arg('idTo')}` },
  },
  orders: { CREATED_AT: [keyPart(predictions, 'id', 'uuid')] },
});

export const listSitesByIds = createListByIds<Site>('listSitesByIds', sites);
export const listPredictionsByIds = createListByIds<Prediction>('listPredictionsByIds', predictions);

const insertOneSite = statement<Site>(
  'insertSite',
  sql`insert into ${sites} (${bare(sites.organizationId, sites.id, sites.name, sites.timeZone, sites.holidays)})
    values (${arg('organizationId')}, ${arg('id')}, ${arg('name')}, ${arg('timeZone')}, ${arg('holidays')}::text[]::date[])
    returning ${columns(sites)}`,
  { writes: [inserts(sites)] },
);

export async function insertSite(
  database: Database,
  organizationId: string,
  site: { name: string; timeZone: string; holidays: readonly string[] },
): Promise<Site> {
  const [row] = await insertOneSite.run(database, { organizationId, id: newId(), ...site });
  return row!;
}

// What was there before is looked up: a partitioned table does not tell an insert from an update (xmax) on Postgres 18.
// In the order of time: batches that overlap wait for each other, but never in a circle.
const upsertReadings = statement<{ stored: number; replaced: number }>(
  'upsertReadings',
  sql`with input as (
      select * from unnest(${arg('times')}::timestamptz[], ${arg('loads')}::double precision[]) as input(at, load)
    ), known as (
      select ${readings.at} from ${readings} join input on ${readings.at} = input.at
      where ${readings.organizationId} = ${arg('organizationId')} and ${readings.siteId} = ${arg('siteId')}
    ), stored as (
      insert into ${readings} (${bare(readings.organizationId, readings.siteId, readings.at, readings.loadMw)})
      select sites.organization_id, sites.id, input.at, input.load from ${sites}, input
      where ${sites.organizationId} = ${arg('organizationId')} and ${sites.id} = ${arg('siteId')}
      order by input.at
      on conflict (organization_id, site_id, at) do update set load_mw = excluded.load_mw
      returning 1
    )
    select (select count(*) from stored)::integer as stored, (select count(*) from known)::integer as replaced`,
  { writes: [changes(readings, rowsBy(readings.siteId, 'siteId'))] },
);

export interface ReadingCounts {
  /** Of times that had none. */
  inserted: number;
  /** That took the place of earlier ones. */
  replaced: number;
}

/**
 * Stores readings of a site in one statement; a repeated time takes the new load. Times must differ.
 * null when the organization has no such site.
 */
export async function ingestReadings(
  database: Database,
  organizationId: string,
  siteId: string,
  batch: { times: readonly string[]; loads: readonly number[] },
): Promise<ReadingCounts | null> {
  const [counts] = await upsertReadings.run(database, { organizationId, siteId, ...batch });
  if (!counts || counts.stored === 0) return null;
  return { inserted: counts.stored - counts.replaced, replaced: counts.replaced };
}

/** A mean hourly load before a forecast; times are epoch milliseconds of the hour's start. */
export interface HistoryHour {
  siteId: string;
  /** The first hour to forecast. */
  startsAtMs: number;
  /** The hour after the last reading: the latest start that leaves no gap. */
  latestStartMs: number;
  hourMs: number | null;
  loadMw: number | null;
}

const history = statement<HistoryHour>(
  'listForecastHistory',
  sql`with bounds as (
      select wanted.id, latest.starts_at as latest_start,
        least(coalesce(date_trunc('hour', ${arg('from')}::timestamptz), latest.starts_at), latest.starts_at) as starts_at
      from unnest(${arg('siteIds')}::uuid[]) as wanted(id)
      cross join lateral (
        select date_trunc('hour', ${readings.at}) + interval '1 hour' as starts_at from ${readings}
        where ${readings.organizationId} = ${arg('organizationId')} and ${readings.siteId} = wanted.id
        order by ${readings.at} desc limit 1
      ) latest
    )
    select bounds.id as "siteId",
      (extract(epoch from bounds.starts_at) * 1000)::float8 as "startsAtMs",
      (extract(epoch from bounds.latest_start) * 1000)::float8 as "latestStartMs",
      (extract(epoch from hours.hour) * 1000)::float8 as "hourMs", hours.load as "loadMw"
    from bounds left join lateral (
      select date_trunc('hour', ${readings.at}) as hour, avg(${readings.loadMw}) as load from ${readings}
      where ${readings.organizationId} = ${arg('organizationId')} and ${readings.siteId} = bounds.id
        and ${readings.at} >= bounds.starts_at - make_interval(hours => ${arg('hours')}::integer)
        and ${readings.at} < bounds.starts_at
      group by 1
    ) hours on true`,
);

/**
 * The hourly means of the `hours` before `from` (null: before the hour after each site's last reading), in no order.
 * A start later than the readings reach is moved back to where they end. Sites without any reading have no row.
 */
export function listForecastHistory(
  database: Database,
  organizationId: string,
  siteIds: readonly string[],
  wanted: { from: string | null; hours: number },
): Promise<HistoryHour[]> {
  return history.run(database, { organizationId, siteIds, ...wanted });
}

const insertAllPredictions = statement<never>(
  'insertPredictions',
  sql`insert into ${predictions}
    (${bare(predictions.organizationId, predictions.id, predictions.model, predictions.version)},
     ${bare(predictions.precision, predictions.createdAt, predictions.latencyMs, predictions.batchSize)},
     ${bare(predictions.cacheHits, predictions.error, predictions.shadowOf, predictions.agreedRows)})
    select * from jsonb_to_recordset(${arg('rows')}::jsonb) as input("organizationId" uuid, id uuid, model text,
      version text, precision text, "createdAt" timestamptz, "latencyMs" real, "batchSize" integer, "cacheHits" integer,
      error text, "shadowOf" text, "agreedRows" integer)`,
  { writes: [inserts(predictions)] },
);

const insertAllPoints = statement<never>(
  'insertForecastPoints',
  sql`insert into ${forecastPoints}
    (${bare(forecastPoints.organizationId, forecastPoints.model, forecastPoints.version, forecastPoints.siteId)},
     ${bare(forecastPoints.issuedAt, forecastPoints.at, forecastPoints.p10, forecastPoints.p50, forecastPoints.p90)})
    select * from jsonb_to_recordset(${arg('rows')}::jsonb) as input("organizationId" uuid, model text, version text,
      "siteId" uuid, "issuedAt" timestamptz, at timestamptz, p10 float8, p50 float8, p90 float8)
    on conflict do nothing`,
  { writes: [inserts(forecastPoints)] },
);

/** Keeps calls of models and what forecasts said: a statement each, in one transaction; a repeated forecast is kept once. */
export async function insertPredictions(
  database: Database,
  records: readonly (PredictionRecord & { createdAt: string })[],
): Promise<void> {
  const rows = records.map(({ points: _points, ...record }, index) => ({
    ...record,
    id: idAt(epochMs(record.createdAt), index),
  }));
  const points = records.flatMap(({ organizationId, model, version, points = [] }) =>
    points.map((point: ForecastRecord) => ({ organizationId, model, version, ...point })),
  );
  await database.transaction(async (transaction) => {
    await insertAllPredictions.run(transaction, { rows: JSON.stringify(rows) });
    if (points.length > 0) await insertAllPoints.run(transaction, { rows: JSON.stringify(points) });
  });
}
