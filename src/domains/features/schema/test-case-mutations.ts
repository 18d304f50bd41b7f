import { z } from 'zod';
import { requireViewer } from '../../../context.ts';
import { newId } from '../../../db/id.ts';
import { badUserInput, notFound } from '../../../errors.ts';
import { builder } from '../../../schema/builder.ts';
import { idOf, line, listOf, parseInput } from '../../../schema/input.ts';
import { idempotencyKey, idempotencyKeyDescription, keepRows, runOnce } from '../../accounts/idempotency.ts';
import { testCaseById } from '../loaders.ts';
import { insertTestCases, updateTestResults } from '../queries.ts';
import { type TestCase, testStatus } from '../tables.ts';
import { TestCaseRef, TestStatus } from './types.ts';

const maxTests = 1000;
const status = z.enum(testStatus.enumValues);

const NewTestCase = builder.inputType('NewTestCaseInput', {
  description: 'A new test case.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'What is checked; one line, 1 to 200 characters.' }),
    status: t.field({ type: TestStatus, description: 'PENDING by default.' }),
  }),
});

const AddTestCasesInput = builder.inputType('AddTestCasesInput', {
  description: 'Test cases for a feature.',
  fields: (t) => ({
    featureId: t.id({ required: true, description: 'The feature they check.' }),
    testCases: t.field({ type: [NewTestCase], required: true, description: `1 to ${maxTests} of them.` }),
    idempotencyKey: t.string({ description: idempotencyKeyDescription }),
  }),
});

const TestResult = builder.inputType('TestResultInput', {
  description: 'What a run of a test case gave.',
  fields: (t) => ({
    testCaseId: t.id({ required: true, description: 'Which test case.' }),
    status: t.field({ type: TestStatus, required: true, description: 'How it stands now.' }),
  }),
});

const RecordTestResultsInput = builder.inputType('RecordTestResultsInput', {
  description: 'Results of a run.',
  fields: (t) => ({
    results: t.field({ type: [TestResult], required: true, description: `1 to ${maxTests}, each test case once.` }),
  }),
});

const AddTestCasesPayload = builder.objectRef<{ testCases: TestCase[] }>('AddTestCasesPayload').implement({
  description: 'What addTestCases did.',
  fields: (t) => ({
    testCases: t.expose('testCases', { type: [TestCaseRef], description: 'The new test cases, in the order given.' }),
  }),
});

const RecordTestResultsPayload = builder.objectRef<{ testCases: TestCase[] }>('RecordTestResultsPayload').implement({
  description: 'What recordTestResults did.',
  fields: (t) => ({
    testCases: t.expose('testCases', { type: [TestCaseRef], description: 'The test cases, in the order given.' }),
  }),
});

const addInput = z.object({
  featureId: idOf('Feature'),
  testCases: listOf(z.object({ name: line(200), status: status.default('PENDING') }), maxTests),
  idempotencyKey,
});

builder.mutationField('addTestCases', (t) =>
  t.field({
    type: AddTestCasesPayload,
    scope: 'write',
    cost: 10,
    listSize: { slicingArguments: ['input.testCases'], sizedFields: ['testCases'], maxSize: maxTests },
    description: 'Adds test cases to a feature in one statement, all or none.',
    args: { input: t.arg({ type: AddTestCasesInput, required: true, description: 'What to add.' }) },
    resolve: async (_root, args, context) => {
      const input = parseInput(addInput, args.input);
      const { organizationId } = requireViewer(context);
      const rows = input.testCases.map((testCase) => ({ ...testCase, id: newId() }));
      const once = { mutation: 'addTestCases', input, keeping: keepRows(testCaseById) };
      const testCases = await runOnce(context, once, (write) =>
        write((database) => insertTestCases(database, organizationId, input.featureId, rows)),
      );
      if (!testCases) throw notFound('Feature', 'input.featureId');
      return { testCases };
    },
  }),
);

const resultsInput = z.object({ results: listOf(z.object({ testCaseId: idOf('TestCase'), status }), maxTests) });

builder.mutationField('recordTestResults', (t) =>
  t.field({
    type: RecordTestResultsPayload,
    scope: 'write',
    cost: 10,
    listSize: { slicingArguments: ['input.results'], sizedFields: ['testCases'], maxSize: maxTests },
    description: 'Records the results of a run in one statement, all or none.',
    args: { input: t.arg({ type: RecordTestResultsInput, required: true, description: 'What the run gave.' }) },
    resolve: async (_root, args, context) => {
      const { results } = parseInput(resultsInput, args.input);
      const ids = results.map((result) => result.testCaseId);
      const repeated = ids.findIndex((id, index) => ids.indexOf(id) < index);
      if (repeated >= 0) {
        throw badUserInput({ path: `input.results.${repeated}.testCaseId`, message: 'expected each test case once' });
      }
      const { organizationId } = requireViewer(context);
      const rows = results.map(({ testCaseId, status }) => ({ id: testCaseId, status }));
      const updated = await updateTestResults(context.database, organizationId, rows);
      const byId = new Map(updated.map((row) => [row.id, row]));
      if (byId.size === 0) {
        const known = await testCaseById(context).loadMany(ids);
        throw notFound('TestCase', `input.results.${known.indexOf(null)}.testCaseId`);
      }
      return { testCases: ids.map((id) => byId.get(id)!) };
    },
  }),
);
