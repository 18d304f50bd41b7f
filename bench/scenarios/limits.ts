/** The shorter ways that scenarios are measured beside. */
import { tokenizeEmbedding } from '../../src/domains/predictions/embedding.ts';
import { forecastFeatureCount, hourlyShape } from '../../src/domains/predictions/forecast.ts';
import { tokenizeSentiment } from '../../src/domains/predictions/sentiment.ts';
import { scanModelRepository } from '../../src/inference/repository.ts';
import type { StatementKind } from '../limits/limit-server.ts';
import { targetOf } from '../suite/own-server.ts';
import type { Facts, LimitContext, MakeLimit } from '../suite/scenario.ts';

/** A server that answers these bytes does nothing else, so it gets so many times the requests of the others. */
const constantShare = 5;

export const constantBytes: MakeLimit = async ({ limits, answer }) => ({
  name: 'constant bytes',
  target: await limits.constant(answer),
  share: constantShare,
});

const statements =
  (kind: StatementKind, name: string) =>
  (key: string, variables?: (context: LimitContext) => Readonly<Record<string, string>>): MakeLimit =>
  async (context) => {
    const { limits, operation, answer } = context;
    const given = variables?.(context) ?? operation.variables;
    return { name, target: await limits.statements(kind, { key, variables: given }, answer) };
  };

export const oneStatement = statements('one-statement', 'one statement');
export const flatStatements = statements('flat-statements', 'flat statements');
export const rawSql = statements('raw-sql', 'raw SQL');

/** Our own answer to another operation. */
export function ownLimit(name: string, operationOf: (facts: Facts) => LimitContext['operation']): MakeLimit {
  return async ({ server, facts }) => ({ name, target: (await targetOf(server, 'cold', operationOf(facts))).target });
}

/** A run of the sentiment model with all texts of the page. */
export const rawSentiment: MakeLimit = (context) =>
  rawModel(context, 'sentiment', () => {
    const texts = new Set([...context.answer.matchAll(/"content":("(?:[^"\\]|\\.)*")/g)].map(([, text]) => text!));
    return [...texts].map((text) => tokenizeSentiment(JSON.parse(text) as string));
  });

/** A run of the embedding model with the query. */
export const rawEmbedding: MakeLimit = (context) =>
  rawModel(context, 'embedding', () => [tokenizeEmbedding(String(context.operation.variables.query))]);

/** A run of the forecast model with one site; how long it takes does not hang on the values. */
export const rawForecast: MakeLimit = (context) =>
  rawModel(context, 'energy-forecast', () => [new Float32Array(forecastFeatureCount(hourlyShape)).fill(0.5)]);

async function rawModel({ limits }: LimitContext, model: string, makeRows: () => (Int32Array | Float32Array)[]) {
  const { versions } = await scanModelRepository('models');
  const { modelPath, manifest } = versions.findLast(({ manifest: { name } }) => name === model)!;
  const [{ name, type }, { name: output }] = [manifest.inputs[0]!, manifest.outputs[0]!];
  const rows = makeRows();
  const length = Math.max(...rows.map((row) => row.length));
  const values = rows.flatMap((row) => [...row, ...Array.from({ length: length - row.length }, () => 0)]);
  const setup = { modelPath, output, input: { name, type: type as 'int32' | 'float32', length }, values };
  return { name: 'raw model run', target: await limits.rawModel(setup) };
}
