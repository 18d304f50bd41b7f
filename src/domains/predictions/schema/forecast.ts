import { z } from 'zod';
import { notFound } from '../../../errors.ts';
import { builder } from '../../../schema/builder.ts';
import { decodeId } from '../../../schema/global-id.ts';
import { integer, parseInput } from '../../../schema/input.ts';
import type { ForecastStep } from '../forecast.ts';
import type { Forecast } from '../forecast-sites.ts';
import { forecastOfSite, siteById } from '../loaders.ts';
import { ModelVersionRef } from './models.ts';
import { SiteRef } from './site.ts';

const ForecastPointRef = builder.objectRef<ForecastStep & { at: string }>('ForecastPoint').implement({
  description: 'What an hour’s mean load will be, in megawatts.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When the hour begins.' }),
    p10: t.exposeFloat('p10', { description: 'The load is below this in 10 % of cases.' }),
    p50: t.exposeFloat('p50', { description: 'The load is as likely above as below this.' }),
    p90: t.exposeFloat('p90', { description: 'The load is below this in 90 % of cases.' }),
  }),
});

const ForecastRef = builder.objectRef<Forecast>('Forecast').implement({
  // It hangs on which versions are loaded and rolled out, of which no statement tells.
  cache: { maxAgeSeconds: 0 },
  description: 'What the load of a site will be, hour by hour.',
  fields: (t) => ({
    site: t.expose('site', { type: SiteRef, description: 'The site.' }),
    modelVersion: t.expose('modelVersion', { type: ModelVersionRef, description: 'What said so.' }),
    issuedAt: t.expose('issuedAt', { type: 'DateTime', description: 'Only readings before this time were known.' }),
    points: t.expose('points', { type: [ForecastPointRef], description: 'One for each hour, earliest first.' }),
  }),
});

const maxHorizon = 168;
const wishInput = z.object({ horizon: integer(1, maxHorizon), from: z.string().optional() });

function parseWish(horizon: number, from: string | null | undefined) {
  const wish = parseInput(wishInput, { horizon, from }, '');
  return { horizon: wish.horizon, from: wish.from ?? null };
}

/** What a forecast costs: a run of the model, and its hours. */
const inferred = {
  cost: 20,
  listSize: { slicingArguments: ['horizon'], sizedFields: ['points'], maxSize: maxHorizon },
} as const;

const horizonDescription = 'Hours ahead, 1 to 168.';
const fromDescription =
  'The first hour: in the past to see what would have been said then; by default the hour after the last reading.';

builder.objectField(SiteRef, 'forecast', (t) =>
  t.field({
    type: ForecastRef,
    ...inferred,
    description: 'What its load will be; all sites of a request share the batches.',
    args: {
      horizon: t.arg.int({ required: true, defaultValue: 24, description: horizonDescription }),
      from: t.arg({ type: 'DateTime', description: fromDescription }),
    },
    resolve: (site, { horizon, from }, context) => forecastOfSite(context, site, parseWish(horizon, from)),
  }),
);

builder.queryField('forecast', (t) =>
  t.field({
    type: ForecastRef,
    scope: 'read',
    ...inferred,
    description: 'What the load of a site will be.',
    args: {
      siteId: t.arg.id({ required: true, description: 'The id of a site.' }),
      horizon: t.arg.int({ required: true, defaultValue: 24, description: horizonDescription }),
      from: t.arg({ type: 'DateTime', description: fromDescription }),
    },
    resolve: async (_root, { siteId, horizon, from }, context) => {
      const wish = parseWish(horizon, from);
      const site = await siteById(context).load(decodeId('Site', siteId, 'siteId'));
      if (!site) throw notFound('Site', 'siteId');
      return forecastOfSite(context, site, wish);
    },
  }),
);
