import { z } from 'zod';
import { requireViewer } from '../../../context.ts';
import { epochMs } from '../../../db/time.ts';
import { badUserInput, notFound } from '../../../errors.ts';
import { builder } from '../../../schema/builder.ts';
import { connectionType, nestedList, type PageArguments, resolveList } from '../../../schema/connection.ts';
import { decodeId, parseUuid } from '../../../schema/global-id.ts';
import { idOf, line, listOf, parseInput, timeRange } from '../../../schema/input.ts';
import { TimeRange } from '../../../schema/shared-types.ts';
import {
  idempotencyKey,
  idempotencyKeyDescription,
  type Keeping,
  keepRow,
  runOnce,
} from '../../accounts/idempotency.ts';
import { readingsBySiteId, siteById } from '../loaders.ts';
import { ingestReadings, insertSite, type ReadingCounts, siteList } from '../queries.ts';
import type { Reading, Site } from '../tables.ts';

const maxReadings = 10_000;
const earliestReading = '1970-01-01T00:00:00.000000Z';

export const SiteRef = builder.objectRef<Site>('Site');
const SiteConnection = connectionType('Site', SiteRef, 'sites');

const ReadingRef = builder.objectRef<Reading>('Reading').implement({
  description: 'The load of a site at a moment.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When it was read.' }),
    loadMw: t.exposeFloat('loadMw', { description: 'The load in megawatts.' }),
  }),
});
const ReadingConnection = connectionType('Reading', ReadingRef, 'readings');

builder.node(SiteRef, {
  description: 'A place whose electricity load is metered.',
  id: { resolve: (site) => site.id, parse: parseUuid },
  loadWithoutCache: (id, context) => siteById(context).load(id),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What it is called.' }),
    timeZone: t.exposeString('timeZone', { description: 'Its IANA time zone: a forecast’s days are local to it.' }),
    readings: t.field({
      type: ReadingConnection,
      description: 'Its readings in a range, earliest first.',
      args: {
        range: t.arg({ type: TimeRange, required: true, description: 'Which span of time.' }),
        ...t.arg.connectionArgs(),
      },
      ...nestedList(
        readingsBySiteId,
        (site: Site) => site.id,
        ({ range, ...paging }: PageArguments & { range: unknown }) => {
          const { from, to } = parseInput(timeRange, range, 'range');
          const order = { order: 'AT', direction: 'ASC' } as const;
          return { paging, order, filters: { range: { rangeFrom: from, rangeTo: to } } };
        },
      ),
    }),
  }),
});

builder.queryField('site', (t) =>
  t.field({
    type: SiteRef,
    nullable: true,
    scope: 'read',
    cache: { maxAgeSeconds: 300, scope: 'organization' },
    description: 'A site by its id; null when there is none.',
    args: { id: t.arg.id({ required: true, description: 'The id of a site.' }) },
    resolve: (_root, { id }, context) => siteById(context).load(decodeId('Site', id, 'id')),
  }),
);

builder.queryField('sites', (t) =>
  t.field({
    type: SiteConnection,
    scope: 'read',
    cache: { maxAgeSeconds: 300, scope: 'organization' },
    description: 'The sites of the organization, by name.',
    args: t.arg.connectionArgs(),
    resolve: (_root, paging, context) => resolveList(siteList, context, paging, { order: 'NAME', direction: 'ASC' }),
  }),
);

const CreateSiteInput = builder.inputType('CreateSiteInput', {
  description: 'A new site.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'One line, 1 to 200 characters.' }),
    timeZone: t.string({ required: true, description: 'An IANA time zone, such as Australia/Melbourne.' }),
    holidays: t.stringList({
      description: 'Local dates (YYYY-MM-DD) on which the load follows a holiday’s shape, up to 1,000.',
    }),
    idempotencyKey: t.string({ description: idempotencyKeyDescription }),
  }),
});

const CreateSitePayload = builder.objectRef<{ site: Site }>('CreateSitePayload').implement({
  description: 'What createSite did.',
  fields: (t) => ({ site: t.expose('site', { type: SiteRef, description: 'The new site.' }) }),
});

const newSite = z.object({
  name: line(200),
  timeZone: z.string().refine(isTimeZone, 'expected an IANA time zone, such as Australia/Melbourne'),
  // Postgres knows no year 0.
  holidays: z
    .array(z.iso.date('expected a date as YYYY-MM-DD').refine((date) => date >= '0001', 'expected a year from 1 on'))
    .max(1000, 'expected at most 1000 dates')
    .default([]),
  idempotencyKey,
});

builder.mutationField('createSite', (t) =>
  t.field({
    type: CreateSitePayload,
    scope: 'write',
    cost: 10,
    description: 'Creates a site, to ingest readings for.',
    args: { input: t.arg({ type: CreateSiteInput, required: true, description: 'What to create.' }) },
    resolve: async (_root, args, context) => {
      const input = parseInput(newSite, args.input);
      const { organizationId } = requireViewer(context);
      const { name, timeZone, holidays } = input;
      const once = { mutation: 'createSite', input, keeping: keepRow(siteById) };
      const site = await runOnce(context, once, (write) =>
        write((database) => insertSite(database, organizationId, { name, timeZone, holidays })),
      );
      return { site: site! };
    },
  }),
);

const ReadingInput = builder.inputType('ReadingInput', {
  description: 'A reading.',
  fields: (t) => ({
    at: t.field({ type: 'DateTime', required: true, description: 'When; not before 1970 and at most a day ahead.' }),
    loadMw: t.float({ required: true, description: 'The load in megawatts, -1,000,000 to 1,000,000.' }),
  }),
});

const IngestReadingsInput = builder.inputType('IngestReadingsInput', {
  description: 'Readings of a site.',
  fields: (t) => ({
    siteId: t.id({ required: true, description: 'Whose readings.' }),
    readings: t.field({ type: [ReadingInput], required: true, description: '1 to 10,000, each time once.' }),
    idempotencyKey: t.string({ description: idempotencyKeyDescription }),
  }),
});

interface Ingested {
  site: Site;
  inserted: number;
  replaced: number;
}

const IngestReadingsPayload = builder.objectRef<Ingested>('IngestReadingsPayload').implement({
  description: 'What ingestReadings did.',
  fields: (t) => ({
    site: t.expose('site', { type: SiteRef, description: 'The site.' }),
    inserted: t.exposeInt('inserted', { description: 'Readings of times that had none.' }),
    replaced: t.exposeInt('replaced', { description: 'Readings that took the place of earlier ones.' }),
  }),
});

const readingsInput = z.object({
  siteId: idOf('Site'),
  readings: listOf(
    z.object({
      at: z.string().refine(isSensibleTime, 'expected a time from 1970 on and at most a day ahead'),
      loadMw: z.number().min(-1e6, 'expected -1,000,000 to 1,000,000').max(1e6, 'expected -1,000,000 to 1,000,000'),
    }),
    maxReadings,
  ),
  idempotencyKey,
});

/** What was counted the first time is answered again. */
const keepCounts: Keeping<ReadingCounts, ReadingCounts> = {
  toKept: (counts) => counts,
  load: async (_context, counts) => counts,
};

builder.mutationField('ingestReadings', (t) =>
  t.field({
    type: IngestReadingsPayload,
    scope: 'write',
    cost: 10,
    listSize: { slicingArguments: ['input.readings'], maxSize: maxReadings },
    description: 'Stores readings in one statement, all or none; a reading of a known time takes its place.',
    args: { input: t.arg({ type: IngestReadingsInput, required: true, description: 'What to store.' }) },
    resolve: async (_root, args, context) => {
      const input = parseInput(readingsInput, args.input);
      const { siteId, readings } = input;
      const times = readings.map((reading) => reading.at);
      const seen = new Set<string>();
      const repeated = times.findIndex((time) => seen.size === seen.add(time).size);
      if (repeated >= 0)
        throw badUserInput({ path: `input.readings.${repeated}.at`, message: 'expected each time once' });
      const { organizationId } = requireViewer(context);
      const loads = readings.map((reading) => reading.loadMw);
      const once = { mutation: 'ingestReadings', input, keeping: keepCounts };
      const counts = await runOnce(context, once, (write) =>
        write((database) => ingestReadings(database, organizationId, siteId, { times, loads })),
      );
      const site = await siteById(context).load(siteId);
      if (!counts || !site) throw notFound('Site', 'input.siteId');
      return { site, ...counts };
    },
  }),
);

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false;
  }
}

function isSensibleTime(time: string): boolean {
  return time >= earliestReading && epochMs(time) <= Date.now() + 86_400_000;
}
