import { InvalidArgumentError } from 'commander';

/** Numbers of features from a command line. */
export function readScales(text: string): number[] {
  const scales = text.split(',').map(Number);
  const isRising = scales.every((scale, at) => Number.isInteger(scale) && scale > (at === 0 ? 99 : scales[at - 1]!));
  if (isRising) return scales;
  throw new InvalidArgumentError('expected rising whole numbers from 100 on, such as 10000,100000.');
}
