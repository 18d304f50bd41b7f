import type { Database } from '../db/database.ts';
import { type Site, sites } from '../domains/predictions/tables.ts';
import { createSeededIds } from './ids.ts';
import { simulateLoad, timeZoneOf } from './load-series.ts';
import type { OrganizationPlan } from './organizations.ts';
import { listHolidays } from './public-holidays.ts';
import { insertReadings, insertRows } from './queries.ts';

const hourMs = 3_600_000;
/** How far back the readings reach. */
export const readingDays = 730;

/** The sites of an organization with hourly readings of two years, the last of the hour before `nowMs` (a full hour). */
export async function insertSites(database: Database, plan: OrganizationPlan, nowMs: number): Promise<Site[]> {
  const newId = createSeededIds(`sites of ${plan.name}`);
  const startMs = nowMs - readingDays * 24 * hourMs;
  // Next year's holidays too, for the forecasts to come.
  const years = [new Date(startMs).getUTCFullYear(), new Date(nowMs).getUTCFullYear() + 1] as const;
  const rows = plan.sites.map(({ name, region }): Site => {
    const id = newId(Date.parse(plan.createdAt));
    const holidays = listHolidays(region, ...years);
    return { organizationId: plan.id, id, name, timeZone: timeZoneOf(region), holidays, createdAt: plan.createdAt };
  });
  await insertRows(database, sites, rows);
  for (const [index, site] of plan.sites.entries()) {
    const { id: siteId, holidays } = rows[index]!;
    const loads = simulateLoad(site, new Set(holidays), startMs, readingDays * 24);
    await insertReadings(database, {
      organizationId: plan.id,
      siteId,
      startsAt: new Date(startMs).toISOString(),
      loads,
    });
  }
  return rows;
}
