/** NLinear on ETTh1 by the protocol of the published tables: look-back 336, 12/4/4 months, z-scores of the first part. */
import { maxDifference, openSession, runSession } from './artifact.ts';
import { readEtth1 } from './data-files.ts';
import { evaluateNLinear, fitNLinear, measureMoments, type NLinearWeights, squaredErrorOf } from './nlinear.ts';
import { int64Constant, type OnnxNode, writeOnnx } from './onnx.ts';

export interface Etth1Result {
  variables: 'OT' | 'all 7';
  horizon: number;
  mse: number;
  mae: number;
  publishedMse: number;
  publishedMae: number;
  /** Chosen on the validation part. */
  ridge: number;
  /** Largest difference of the exported ONNX to this code. */
  parity: number;
}

const lookback = 336;
const monthHours = 30 * 24;
const trainTo = 12 * monthHours;
const validationTo = 16 * monthHours;
const testTo = 20 * monthHours;
const ridges = [1, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000];
/** NLinear's rows of Zeng et al., "Are Transformers Effective for Time Series Forecasting?": [horizon, MSE, MAE]. */
const published = {
  OT: [
    [96, 0.053, 0.177],
    [192, 0.069, 0.204],
    [336, 0.081, 0.226],
    [720, 0.08, 0.226],
  ],
  'all 7': [
    [96, 0.374, 0.394],
    [192, 0.408, 0.415],
    [336, 0.429, 0.427],
    [720, 0.44, 0.453],
  ],
} as const;
const nodes: readonly OnnxNode[] = [
  { operator: 'Slice', inputs: ['history', 'from', 'to', 'axis'], outputs: ['last'] },
  { operator: 'Sub', inputs: ['history', 'last'], outputs: ['differences'] },
  { operator: 'MatMul', inputs: ['differences', 'weights'], outputs: ['changes'] },
  { operator: 'Add', inputs: ['changes', 'bias'], outputs: ['shifted'] },
  { operator: 'Add', inputs: ['shifted', 'last'], outputs: ['forecast'] },
];

/** Fits and tests every row of the table; `onResult` hears of each as it is done. */
export async function runEtth1(dataDirectory: string, onResult: (result: Etth1Result) => void): Promise<Etth1Result[]> {
  const all = readEtth1(dataDirectory).columns.map(standardize);
  const results: Etth1Result[] = [];
  for (const variables of ['OT', 'all 7'] as const) {
    const series = variables === 'OT' ? all.slice(-1) : all;
    for (const [horizon, publishedMse, publishedMae] of published[variables]) {
      const { weights, ridge } = chooseRidge(series, horizon);
      const test = evaluateNLinear(weights, series, validationTo - lookback, testTo, lookback, horizon);
      const parity = await checkNLinear(weights, series[0]!, horizon);
      const result = { variables, horizon, ...test, publishedMse, publishedMae, ridge, parity };
      results.push(result);
      onResult(result);
    }
  }
  return results;
}

/** Bytes of model.onnx: float32 history [batch, lookback] -> float32 forecast [batch, horizon]. */
export function exportNLinear(weights: NLinearWeights, steps: number, horizon: number): Uint8Array {
  const data = Float32Array.from(weights);
  return writeOnnx({
    name: 'nlinear',
    nodes,
    constants: [
      { name: 'weights', type: 'float32', shape: [steps, horizon], data: data.subarray(0, steps * horizon) },
      { name: 'bias', type: 'float32', shape: [horizon], data: data.subarray(steps * horizon) },
      int64Constant('from', [steps - 1]),
      int64Constant('to', [steps]),
      int64Constant('axis', [1]),
    ],
    inputs: [{ name: 'history', type: 'float32', shape: ['batch', steps] }],
    outputs: [{ name: 'forecast', type: 'float32', shape: ['batch', horizon] }],
  });
}

function chooseRidge(series: readonly Float64Array[], horizon: number): { weights: NLinearWeights; ridge: number } {
  const train = measureMoments(series, 0, trainTo, lookback, horizon);
  const validation = measureMoments(series, trainTo - lookback, validationTo, lookback, horizon);
  const tried = ridges.map((ridge) => {
    const weights = fitNLinear(train, ridge);
    return { weights, ridge, mse: squaredErrorOf(weights, validation) };
  });
  return tried.reduce((best, next) => (next.mse < best.mse ? next : best));
}

/** Z-scores by the mean and deviation of the training part. */
function standardize(values: Float64Array): Float64Array {
  const train = values.subarray(0, trainTo);
  const average = train.reduce((sum, value) => sum + value, 0) / train.length;
  const deviation = Math.sqrt(train.reduce((sum, value) => sum + (value - average) ** 2, 0) / train.length);
  return values.map((value) => (value - average) / deviation);
}

async function checkNLinear(weights: NLinearWeights, values: Float64Array, horizon: number): Promise<number> {
  const history = Float32Array.from(values.subarray(validationTo - lookback, validationTo));
  const session = await openSession(exportNLinear(weights, lookback, horizon));
  const forecast = await runSession(session, { type: 'float32', data: history, shape: [1, lookback] });
  const last = history.at(-1)!;
  const expected = Float64Array.from({ length: horizon }, (_, h) => {
    let sum = last + weights[lookback * horizon + h]!;
    for (let i = 0; i < lookback; i++) sum += (history[i]! - last) * weights[i * horizon + h]!;
    return sum;
  });
  return maxDifference(expected, forecast);
}
