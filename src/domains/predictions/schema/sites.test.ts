import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../../../context.ts';
import { newId } from '../../../db/id.ts';
import { encodeGlobalId } from '../../../schema/global-id.ts';
import { createOrganization, createSite } from '../../../testing/seed-builders.ts';
import { digestTables } from '../../../testing/table-digest.ts';
import { countStatements, createTestApp, type TestApp } from '../../../testing/test-app.ts';

const hourMs = 3_600_000;
const endMs = Date.parse('2026-03-02T00:00:00Z');
const timeOf = (hour: number) => `${new Date(endMs + hour * hourMs).toISOString().slice(0, 19)}Z`;
const week = { from: timeOf(-168), to: timeOf(0) };

let app: TestApp;
let viewer: Viewer;

beforeAll(async () => {
  app = await createTestApp();
});

beforeEach(async () => {
  viewer = await createOrganization(app.database.pool);
});

afterAll(() => app.close());

interface Page {
  totalCount: number;
  nodes: { at: string }[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
}

const ask = (document: string, variables: Record<string, unknown> = {}) => app.query(document, variables, viewer);

async function createSiteId(hours: number): Promise<string> {
  const { id } = await createSite(app.database.pool, viewer, hours, new Date(endMs));
  return encodeGlobalId('Site', id);
}

describe('createSite', () => {
  const create = 'mutation ($input: CreateSiteInput!) { createSite(input: $input) { site { id name timeZone } } }';

  test('creates a site that can be found, listed by name', async () => {
    for (const name of ['Zeta', 'alpha', 'Beta']) {
      const answer = await ask(create, { input: { name, timeZone: 'Australia/Melbourne', holidays: ['2026-12-25'] } });
      const { site } = answer.data.createSite;
      expect(site).toMatchObject({ name, timeZone: 'Australia/Melbourne' });
      expect((await ask('query ($id: ID!) { site(id: $id) { id name } }', { id: site.id })).data.site.name).toBe(name);
    }
    const { sites } = (await ask('{ sites { totalCount nodes { name } } }')).data;
    expect(sites).toEqual({ totalCount: 3, nodes: [{ name: 'Beta' }, { name: 'Zeta' }, { name: 'alpha' }] });
  });
});

describe('readings', () => {
  const page = `query ($id: ID!, $range: TimeRange!, $first: Int, $after: String, $last: Int, $before: String) {
    site(id: $id) { readings(range: $range, first: $first, after: $after, last: $last, before: $before) {
      totalCount nodes { at loadMw } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    } }
  }`;

  test('are paged forward and backward, each once, earliest first', async () => {
    const id = await createSiteId(200);
    const expected = Array.from({ length: 168 }, (_, index) => timeOf(index - 168));
    const forward: string[] = [];
    for (let after: string | null = null, isMore = true; isMore; ) {
      const readings: Page = (await ask(page, { id, range: week, first: 50, after })).data.site.readings;
      expect(readings.totalCount).toBe(168);
      forward.push(...readings.nodes.map(({ at }) => at));
      after = readings.pageInfo.endCursor;
      isMore = readings.pageInfo.hasNextPage;
    }
    expect(forward).toEqual(expected);
    const backward: string[] = [];
    for (let before: string | null = null, isMore = true; isMore; ) {
      const readings: Page = (await ask(page, { id, range: week, last: 50, before })).data.site.readings;
      backward.unshift(...readings.nodes.map(({ at }) => at));
      before = readings.pageInfo.startCursor;
      isMore = readings.pageInfo.hasPreviousPage;
    }
    expect(backward).toEqual(expected);
  });

  test('hold the first moment of the range and not the last', async () => {
    const id = await createSiteId(10);
    const range = { from: timeOf(-3), to: timeOf(-1) };
    const { nodes } = (await ask(page, { id, range })).data.site.readings;
    expect(nodes.map(({ at }: { at: string }) => at)).toEqual([timeOf(-3), timeOf(-2)]);
  });

  test('of all sites of a page are one statement, their counts another', async () => {
    for (let index = 0; index < 10; index++) await createSiteId(30);
    const document = `query ($range: TimeRange!) {
      sites { nodes { readings(range: $range, first: 5) { totalCount nodes { at } } } }
    }`;
    let sites: { nodes: { readings: { totalCount: number; nodes: object[] } }[] } = { nodes: [] };
    const statements = await countStatements(app, async () => {
      ({ sites } = (await ask(document, { range: week })).data);
    });
    expect(statements.sort()).toEqual(['count_readings', 'list_readings', 'list_sites']);
    expect(sites.nodes.map(({ readings }) => [readings.totalCount, readings.nodes.length])).toEqual(
      Array.from({ length: 10 }, () => [30, 5]),
    );
  });
});

describe('ingestReadings', () => {
  const ingest = `mutation ($input: IngestReadingsInput!, $range: TimeRange!) {
    ingestReadings(input: $input) { inserted replaced site { id readings(range: $range) { nodes { at loadMw } } } }
  }`;
  const reading = (hour: number, loadMw: number) => ({ at: timeOf(hour), loadMw });

  test('adds new ones, replaces those of a known time, and leaves the others, in one statement', async () => {
    const siteId = await createSiteId(0);
    const store = (readings: object[]) => ask(ingest, { input: { siteId, readings }, range: week });
    const first = await store([reading(-5, 1), reading(-4, 2), reading(-3, 3)]);
    expect(first.data.ingestReadings).toMatchObject({ inserted: 3, replaced: 0, site: { id: siteId } });
    let second: Awaited<ReturnType<typeof store>> | undefined;
    const statements = await countStatements(app, async () => {
      second = await store([reading(-2, 40), reading(-4, -20.5)]);
    });
    expect(statements).toEqual(['upsertReadings', 'listSitesByIds', 'list_readings']);
    expect(second?.data.ingestReadings).toMatchObject({ inserted: 1, replaced: 1 });
    const stored = [reading(-5, 1), reading(-4, -20.5), reading(-3, 3), reading(-2, 40)];
    expect(second?.data.ingestReadings.site.readings.nodes).toEqual(stored);
  });

  test('takes 10,000 at once, and the same again', async () => {
    const siteId = await createSiteId(0);
    const readings = Array.from({ length: 10_000 }, (_, index) => reading(-index, index));
    const counts = async () => (await ask(ingest, { input: { siteId, readings }, range: week })).data.ingestReadings;
    expect(await counts()).toMatchObject({ inserted: 10_000, replaced: 0 });
    expect(await counts()).toMatchObject({ inserted: 0, replaced: 10_000 });
  });

  test('stores none when the site is not there or a reading is wrong', async () => {
    const known = await createSiteId(3);
    const ahead = new Date(Date.now() + 2 * 86_400_000).toISOString();
    const wrong: [string, object[], string, string][] = [
      [encodeGlobalId('Site', newId()), [reading(0, 1)], 'NOT_FOUND', 'input.siteId'],
      [known, [reading(0, 1), { at: ahead, loadMw: 1 }], 'BAD_USER_INPUT', 'input.readings.1.at'],
      [known, [reading(0, 1), { at: '1969-12-31T23:59:59Z', loadMw: 1 }], 'BAD_USER_INPUT', 'input.readings.1.at'],
      [known, [reading(0, 1_000_001)], 'BAD_USER_INPUT', 'input.readings.0.loadMw'],
    ];
    const before = await digestTables(app.database.pool, viewer.organizationId);
    for (const [siteId, readings, code, path] of wrong) {
      const { errors } = await ask(ingest, { input: { siteId, readings }, range: week });
      expect(errors?.[0]?.extensions).toMatchObject({ code, issues: [{ path }] });
    }
    expect(await digestTables(app.database.pool, viewer.organizationId)).toEqual(before);
  });

  test('moves the forecast on', async () => {
    const siteId = await createSiteId(400);
    const issuedAt = async () =>
      (await ask('query ($id: ID!) { forecast(siteId: $id) { issuedAt } }', { id: siteId })).data.forecast.issuedAt;
    expect(Date.parse(await issuedAt())).toBe(endMs);
    await ask(ingest, { input: { siteId, readings: [reading(0, 100)] }, range: week });
    expect(Date.parse(await issuedAt())).toBe(endMs + hourMs);
  });
});
