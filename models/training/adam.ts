/** Adam with decoupled weight decay, one state for each parameter array. */

export interface AdamParameter {
  values: Float32Array;
  gradient: Float32Array;
  mean: Float32Array;
  square: Float32Array;
}

const meanDecay = 0.9;
const squareDecay = 0.999;

/** Wraps parameter values with their gradient and moments. */
export function createAdamParameter(values: Float32Array): AdamParameter {
  const zeros = () => new Float32Array(values.length);
  return { values, gradient: zeros(), mean: zeros(), square: zeros() };
}

/** One step (numbered from 1) down the gradient, which is then cleared. `decay` shrinks values by rate * decay. */
export function stepAdam(parameter: AdamParameter, step: number, rate: number, decay: number): void {
  const { values, gradient, mean, square } = parameter;
  const meanScale = 1 / (1 - meanDecay ** step);
  const squareScale = 1 / (1 - squareDecay ** step);
  for (let i = 0; i < values.length; i++) {
    const g = gradient[i]!;
    mean[i] = meanDecay * mean[i]! + (1 - meanDecay) * g;
    square[i] = squareDecay * square[i]! + (1 - squareDecay) * g * g;
    const direction = (mean[i]! * meanScale) / (Math.sqrt(square[i]! * squareScale) + 1e-8);
    values[i]! -= rate * (direction + decay * values[i]!);
  }
  gradient.fill(0);
}
