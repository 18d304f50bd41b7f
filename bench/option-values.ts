import { InvalidArgumentError } from 'commander';

/**
 * Reads a whole number of an option.
 * @throws InvalidArgumentError, which commander prints with the option's name
 */
export function wholeNumber(least = 1): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number, at least ${least}.`);
  };
}

/** Whole numbers of at least 1, separated by commas; throws like wholeNumber. */
export function wholeNumbers(list: string): number[] {
  return list.split(',').map(wholeNumber());
}

/** Throws like wholeNumber. */
export function seconds(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 86_400) return value;
  throw new InvalidArgumentError('Expected seconds, above 0 and at most 86400.');
}
