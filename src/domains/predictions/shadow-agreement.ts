/** Where a shadow's prediction counts as the same as the one the viewer got: one rule for each task. Pure. */
import type { Row } from '../../inference/engine.ts';
import type { ForecastStep } from './forecast.ts';
import type { SentimentReading } from './sentiment.ts';

/** How far a forecast's medians may lie from those of the other, as a share of the load. */
const forecastTolerance = 0.05;
/** How far elements of a tensor may lie apart, as a share of the largest. */
const tensorTolerance = 0.01;

/** Sentiments agree when their labels do. */
export function agreeOnSentiment(served: SentimentReading, shadow: SentimentReading): boolean {
  return served.label === shadow.label;
}

/**
 * Forecasts of a site agree when their medians differ by at most 5 % of the load, both as means over the hours: a single
 * hour may differ more, such as one in which next to nothing is used.
 */
export function agreeOnForecast(served: readonly ForecastStep[], shadow: readonly ForecastStep[]): boolean {
  let difference = 0;
  let load = 0;
  for (const [hour, { p50 }] of served.entries()) {
    difference += Math.abs(p50 - (shadow[hour]?.p50 ?? Number.POSITIVE_INFINITY));
    load += Math.abs(p50);
  }
  return difference <= forecastTolerance * load;
}

/** Tensors agree when no element differs by more than 1 % of the largest of the served tensor. */
export function agreeOnTensors(served: Row, shadow: Row): boolean {
  return Object.entries(served).every(([name, { data }]) => {
    const other = shadow[name]?.data;
    if (other?.length !== data.length) return false;
    let largest = 0;
    let difference = 0;
    for (let index = 0; index < data.length; index++) {
      largest = Math.max(largest, Math.abs(Number(data[index])));
      difference = Math.max(difference, Math.abs(Number(data[index]) - Number(other[index])));
    }
    return difference <= tensorTolerance * largest;
  });
}

/** Rows on which two answers to a call agree; a row that one of them failed on is none. */
export function countAgreed<Answer>(
  served: readonly (Answer | Error)[],
  shadow: readonly (Answer | Error)[],
  agree: (served: Answer, shadow: Answer) => boolean,
): number {
  return served.filter((row, index) => {
    const other = shadow[index];
    return !(row instanceof Error) && other !== undefined && !(other instanceof Error) && agree(row, other);
  }).length;
}
