import { type Worsening, type WorseningOptions, worseningOfPairs, worseningOfSamples } from './worsening.ts';

/** A figure of two versions, as ratios to a limit. */
export interface ComparedFigure {
  readonly name: string;
  readonly isMoreWorse: boolean;
  readonly before: number[];
  readonly after: number[];
}

/** Of comparisons of a version with itself: those that call any of their figures worse. */
const falseAlarms = 0.02;

/**
 * Prints the figures, the worse ones marked.
 * @param options isPaired: whether the ratios at the same place were measured together
 * @returns whether none has become worse
 */
export function reportFigures(
  figures: readonly ComparedFigure[],
  { isPaired, ignored }: { isPaired: boolean; ignored: number },
): boolean {
  // Each has its share of the false alarms.
  const options: WorseningOptions = { falseAlarms: falseAlarms / figures.length, ignored };
  let isGood = true;
  for (const figure of figures) {
    const worsening = judgeFigure(figure, isPaired, options);
    console.log(describe(figure, worsening));
    isGood &&= !worsening.isWorse;
  }
  return isGood;
}

export function judgeFigure(figure: ComparedFigure, isPaired: boolean, options: WorseningOptions): Worsening {
  const [before, after] = [logarithms(figure, figure.before), logarithms(figure, figure.after)];
  if (!isPaired) return worseningOfSamples(before, after, options);
  return worseningOfPairs(
    after.map((value, index) => value - before[index]!),
    options,
  );
}

/** More is worse. */
function logarithms({ isMoreWorse }: ComparedFigure, ratios: readonly number[]): number[] {
  return ratios.map((ratio) => Math.log(ratio) * (isMoreWorse ? 1 : -1));
}

function describe({ name, before, after }: ComparedFigure, { mean, least, isWorse }: Worsening): string {
  const direction = mean > 0 ? 'worse' : 'better';
  const certain = isWorse ? `, at least ${percent(least)}` : '';
  const noise = `, noise ${percent(mean - least)} (each: ${before.map(three).join(' ')} -> ${after.map(three).join(' ')})`;
  const ratios = `${three(middle(before))} -> ${three(middle(after))}`;
  return `${isWorse ? 'WORSE' : 'ok   '} ${name}: ${ratios}, ${percent(Math.abs(mean))} ${direction}${certain}${noise}`;
}

function three(ratio: number): string {
  return ratio.toFixed(3);
}

/** Of a logarithm of a ratio. */
function percent(logarithm: number): string {
  return `${((Math.exp(logarithm) - 1) * 100).toFixed(1)} %`;
}

/** The geometric mean, as ratios are multiplied. */
function middle(ratios: readonly number[]): number {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}
