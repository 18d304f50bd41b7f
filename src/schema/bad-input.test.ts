import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorStatus, type InputIssue } from '../errors.ts';
import { type BadValue, badValues } from '../testing/bad-values.ts';
import { createFullOrganization } from '../testing/full-organization.ts';
import { type Harvest, harvest, valuesOf } from '../testing/harvest.ts';
import {
  listOperations,
  listSlots,
  type Operation,
  printOperation,
  printWithVariables,
  type Slot,
} from '../testing/schema-walk.ts';
import { digestTables } from '../testing/table-digest.ts';
import { type Answer, createTestApp, type TestApp, unlimitedCost } from '../testing/test-app.ts';
import { schema } from './index.ts';

/**
 * Every argument and input field of the schema is given every value that does not belong there, once in the document
 * and once as a variable. All of it is derived from the schema: an argument that is added is tried as well.
 */
interface Target {
  label: string;
  operation: Operation;
  slot: Slot;
}

const targets = listTargets();
const leaks = /PostgresError|relation "|syntax error at|\binto \w+ \(|\$\d|node_modules|\.ts:\d|file:\/\/|\n\s+at /;

let app: TestApp;
let found: Harvest;

beforeAll(async () => {
  const predictions = { record() {} };
  app = await createTestApp({
    settings: unlimitedCost,
    wrapDependencies: (dependencies) => ({ ...dependencies, predictions }),
  });
  app.viewer = await createFullOrganization(app.database.pool, { word: 'plainword', level: 100, count: 1 });
  found = await harvest(app, schema, app.viewer, 'plainword');
});

afterAll(() => app.close());

describe('as a literal', () => {
  test.each(targets.map((target) => [target.label, target]))('%s', async (_label, target) => {
    for (const bad of badValues(schema, target.slot)) {
      const document = printOperation(schema, target.operation, fillWith(target, bad.value));
      await expectHarmless(target, bad, () => app.query(document, {}, app.viewer), 'literal');
    }
  });
});

describe('as a variable', () => {
  const ofRoot = targets.filter(({ operation, slot }) => isOfRoot(operation, slot));
  test.each(ofRoot.map((target) => [target.label, target]))('%s', async (_label, target) => {
    for (const bad of badValues(schema, target.slot)) {
      const given = printWithVariables(schema, target.operation, fillWith(target, bad.value));
      await expectHarmless(target, bad, () => app.query(given.document, given.variables, app.viewer), 'variable');
    }
  });
});

async function expectHarmless(
  { label, slot, operation }: Target,
  bad: BadValue,
  ask: () => Promise<Answer>,
  way: 'literal' | 'variable',
): Promise<void> {
  const before = await digestTables(app.database.pool, app.viewer.organizationId);
  const answer = await ask();
  const what = `${label}: ${bad.label} as a ${way}`;
  expectSaneErrors(answer, what);
  // Written or found: an error further down (a new site has nothing to forecast from) undoes nothing.
  if (bad.outcome === 'handled' && (answer.errors ?? []).every(({ path = [] }) => path.length > 1)) return;
  expect(await digestTables(app.database.pool, app.viewer.organizationId), what).toEqual(before);
  if (bad.outcome === 'handled') return;
  const { code, issues } = answer.errors?.[0]?.extensions ?? {};
  const ofDocument = ['GRAPHQL_VALIDATION_FAILED', 'GRAPHQL_PARSE_FAILED'];
  if (way === 'literal' && ofDocument.includes(String(code))) return;
  expect(code, what).toBe('BAD_USER_INPUT');
  expect([...new Set((issues as InputIssue[]).map(({ path }) => path))], what).toEqual([slot.path]);
  expect(operation.kind === 'query' || answer.data == null, what).toBe(true);
}

/** Every error has a code of the contract, and nothing of the inside shows. */
function expectSaneErrors({ errors = [], data, status }: Answer, what: string): void {
  for (const { message, extensions } of errors) {
    expect(Object.keys(errorStatus), what).toContain(extensions.code);
    expect(extensions.code, what).not.toBe('INTERNAL');
    expect(`${message} ${JSON.stringify(extensions)}`, what).not.toMatch(leaks);
    if (extensions.code === 'BAD_USER_INPUT') {
      expect(extensions.issues, what).toEqual(
        expect.arrayContaining([{ path: expect.any(String), message: expect.any(String) }]),
      );
    }
  }
  // Over application/json: 400 for variables that do not fit, else 200 whatever the answer says.
  expect(errors.length > 0 && !data ? [200, 400] : [200], what).toContain(status);
}

/** The operation with B's own values but for one slot, which is included whatever it takes. */
function fillWith({ slot }: Target, value: unknown) {
  const own = valuesOf(schema, found, 'plainword');
  return {
    includes: (coordinate: string) => coordinate === slot.coordinate,
    value: (candidate: Slot) => (candidate.coordinate === slot.coordinate ? (value as never) : own(candidate)),
  };
}

/** Each slot once for each root field that takes it, and once below whichever root field comes first. */
function listTargets(): Target[] {
  const seen = new Set<string>();
  return listOperations(schema).flatMap((operation) => {
    const slots = [...listSlots(schema, operation, 'all').values()];
    return slots.flatMap((slot) => {
      const place = isOfRoot(operation, slot)
        ? `${operation.field.name}(${slot.path})`
        : `${slot.coordinate} ${slot.path}`;
      if (seen.has(place)) return [];
      seen.add(place);
      return [{ label: place, operation, slot }];
    });
  });
}

function isOfRoot({ field }: Operation, slot: Slot): boolean {
  return field.args.some((argument) => slot.path === argument.name || slot.path.startsWith(`${argument.name}.`));
}
