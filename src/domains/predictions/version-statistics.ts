import DataLoader from 'dataloader';
import { type Context, requireViewer } from '../../context.ts';
import type { Database } from '../../db/database.ts';
import { perRequest } from '../../per-request.ts';
import {
  type AccuracyFigures,
  type CallStatistics,
  listCallStatistics,
  listVersionAccuracy,
  type TimeSpan,
  type VersionName,
} from './statistics-queries.ts';

/** A version's figures over a span; accuracy is looked up when it is asked for. */
export interface VersionStatistics extends VersionName, CallStatistics {
  span: TimeSpan;
}

type ListFigures<Figures> = (
  database: Database,
  organizationId: string,
  versions: readonly VersionName[],
  span: TimeSpan,
) => Promise<(VersionName & Figures)[]>;

const statisticsByVersion = createFiguresLoader(listCallStatistics);
const accuracyByVersion = createFiguresLoader(listVersionAccuracy);

/** What the calls of a version came to: all versions that ask for one span in a tick share a statement. */
export async function statisticsOf(context: Context, name: VersionName, span: TimeSpan): Promise<VersionStatistics> {
  const figures = await statisticsByVersion(context, span).load(name);
  return { ...name, ...figures!, span };
}

/** How far a version's forecasts were from what came, likewise; null when no hour of them has been metered. */
export function accuracyOf(context: Context, { span, ...name }: VersionStatistics): Promise<AccuracyFigures | null> {
  return accuracyByVersion(context, span).load(name);
}

function createFiguresLoader<Figures>(list: ListFigures<Figures>) {
  const loaders = perRequest((_context: Context) => new Map<string, DataLoader<VersionName, Figures | null, string>>());
  return (context: Context, span: TimeSpan): DataLoader<VersionName, Figures | null, string> => {
    const { organizationId } = requireViewer(context);
    const key = `${span.from}/${span.to}`;
    const known = loaders(context).get(key);
    if (known) return known;
    const made = new DataLoader<VersionName, Figures | null, string>(
      async (names) => {
        const rows = await list(context.analyticsDatabase, organizationId, names, span);
        const byName = new Map(rows.map((row) => [keyOf(row), row]));
        return names.map((name) => byName.get(keyOf(name)) ?? null);
      },
      { cacheKeyFn: keyOf },
    );
    loaders(context).set(key, made);
    return made;
  };
}

function keyOf({ model, version }: VersionName): string {
  return `${model}/${version}`;
}
