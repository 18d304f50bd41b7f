/** The forecaster as ONNX: the graph of a quantile network. */
import { type ForecastShape, forecastFeatureCount, forecastQuantiles } from '../../src/domains/predictions/forecast.ts';
import { int64Constant, type OnnxNode, writeOnnx } from './onnx.ts';
import type { QuantileNetwork } from './quantile-network.ts';

const nodes: readonly OnnxNode[] = [
  { operator: 'MatMul', inputs: ['features', 'input_weights'], outputs: ['hidden_sum'] },
  { operator: 'Add', inputs: ['hidden_sum', 'hidden_bias'], outputs: ['hidden_raw'] },
  { operator: 'Relu', inputs: ['hidden_raw'], outputs: ['hidden'] },
  { operator: 'MatMul', inputs: ['hidden', 'output_weights'], outputs: ['deep'] },
  { operator: 'MatMul', inputs: ['features', 'skip_weights'], outputs: ['linear'] },
  { operator: 'Add', inputs: ['deep', 'linear'], outputs: ['both'] },
  { operator: 'Add', inputs: ['both', 'output_bias'], outputs: ['flat'] },
  { operator: 'Reshape', inputs: ['flat', 'output_shape'], outputs: ['quantiles'] },
];

/** Tensors of a forecaster of a shape, as the manifest names them. */
export function forecastTensors(shape: ForecastShape) {
  const { horizonSteps } = shape;
  const input = { name: 'features', type: 'float32', shape: ['batch', forecastFeatureCount(shape)] } as const;
  const output = {
    name: 'quantiles',
    type: 'float32',
    shape: ['batch', forecastQuantiles.length, horizonSteps],
  } as const;
  return { input, output };
}

/** Bytes of model.onnx: float32 features [batch, features] -> float32 [batch, quantiles, horizonSteps] in row scale. */
export function exportForecaster(network: QuantileNetwork, shape: ForecastShape): Uint8Array {
  const { features, hidden, outputs } = network;
  const { input, output } = forecastTensors(shape);
  return writeOnnx({
    name: 'energy-forecast',
    nodes,
    constants: [
      { name: 'input_weights', type: 'float32', shape: [features, hidden], data: network.inputWeights },
      { name: 'hidden_bias', type: 'float32', shape: [hidden], data: network.hiddenBias },
      { name: 'output_weights', type: 'float32', shape: [hidden, outputs], data: network.outputWeights },
      { name: 'skip_weights', type: 'float32', shape: [features, outputs], data: network.skipWeights },
      { name: 'output_bias', type: 'float32', shape: [outputs], data: network.outputBias },
      int64Constant('output_shape', [-1, forecastQuantiles.length, shape.horizonSteps]),
    ],
    inputs: [input],
    outputs: [output],
  });
}
