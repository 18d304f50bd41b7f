import DataLoader from 'dataloader';
import { type Context, requireViewer } from '../../context.ts';
import { perRequest } from '../../per-request.ts';
import { createLoader, createNestedLoader, createRowLoader } from '../../schema/loader.ts';
import { type Forecast, type ForecastWish, forecastSites } from './forecast-sites.ts';
import { listPredictionsByIds, listSitesByIds, readingList } from './queries.ts';
import { type Sentiment, scoreTexts } from './score-texts.ts';
import type { Site } from './tables.ts';

export const siteById = createRowLoader(listSitesByIds);
export const predictionById = createRowLoader(listPredictionsByIds);
export const readingsBySiteId = createNestedLoader(readingList);

/** The sentiment of each text: all texts of a tick are one call of the engine, equal ones run once. */
export const sentimentByText = createLoader<Sentiment>((_database, organizationId, texts, context) =>
  scoreTexts(context, organizationId, texts),
);

const forecastLoaders = perRequest((_context: Context) => new Map<string, DataLoader<Site, Forecast>>());

/** The forecast of a site; all sites that ask alike in one tick share one statement and one batch for each day ahead. */
export function forecastOfSite(context: Context, site: Site, wish: ForecastWish): Promise<Forecast> {
  const loaders = forecastLoaders(context);
  const key = JSON.stringify(wish);
  const { organizationId } = requireViewer(context);
  const loader =
    loaders.get(key) ??
    new DataLoader<Site, Forecast, string>((sites) => forecastSites(context, organizationId, sites, wish), {
      cacheKeyFn: ({ id }) => id,
    });
  loaders.set(key, loader as DataLoader<Site, Forecast>);
  return loader.load(site);
}
