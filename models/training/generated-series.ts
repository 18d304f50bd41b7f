/** Made-up load series of many shapes, so that the forecaster learns to follow a site's own past, not one city's. */
import type { LoadSeries } from './data-files.ts';
import { createRandom, type Random } from './random.ts';

export const generatedShapes = ['double-peak', 'evening-peak', 'industrial', 'solar', 'random'] as const;
export type GeneratedShape = (typeof generatedShapes)[number];

/** What differs between two sites of the same shape. */
interface Traits {
  /** [24] load of each hour on working days, around 1 */
  workday: Float64Array;
  /** [24] on other days */
  restDay: Float64Array;
  restDays: readonly number[];
  /** Size in the load's unit. */
  level: number;
  /** Share of the level by which the seasons move it, and the day of the year of the highest load. */
  seasonShare: number;
  seasonPeakDay: number;
  /** Share of the level taken off at noon of a clear day. */
  solarShare: number;
  /** Day-to-day and hour-to-hour wander, as shares of the level. */
  dailyNoise: number;
  hourlyNoise: number;
}

const hourMs = 3_600_000;
const dayHours = 24;
const timeZones = [
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Asia/Dubai',
  'America/Sao_Paulo',
  'Asia/Tokyo',
];
const restDayChoices = [[0, 6], [0, 6], [0, 6], [0], [5, 6], []] as const;
const firstStartUtcMs = Date.UTC(2015, 0, 1);

/** An hourly series of a shape; equal seeds give equal series. The holidays are rest days, known to the site. */
export function generateSeries(shape: GeneratedShape, hours: number, seed: number): LoadSeries {
  const random = createRandom(seed);
  const traits = drawTraits(shape, random);
  const timeZone = timeZones[random.integer(timeZones.length)]!;
  const startUtcMs = firstStartUtcMs + random.integer(365 * dayHours) * hourMs;
  // Clocks are not changed within a series: loads follow the sun and the factory bell as much as the clock.
  const offsetHours = Math.round(localOffsetHours(startUtcMs, timeZone));
  const firstLocalMs = startUtcMs + offsetHours * hourMs;
  const holidays = new Set<string>();
  const values = new Float64Array(hours);
  const wander = { day: 0, hour: 0, clearness: random.next() };
  for (let i = 0; i < hours; i++) {
    const local = new Date(firstLocalMs + i * hourMs);
    const hour = local.getUTCHours();
    if (hour === 0 || i === 0) {
      wander.day = 0.7 * wander.day + traits.dailyNoise * random.gauss();
      wander.clearness = 0.3 + 0.7 * random.next();
      if (random.next() < 0.02) holidays.add(local.toISOString().slice(0, 10));
    }
    wander.hour = 0.85 * wander.hour + traits.hourlyNoise * random.gauss();
    const isRestDay = traits.restDays.includes(local.getUTCDay()) || holidays.has(local.toISOString().slice(0, 10));
    const shapeLoad = (isRestDay ? traits.restDay : traits.workday)[hour]!;
    const load = shapeLoad * (1 + seasonAt(local, traits) + wander.day) + wander.hour;
    values[i] = traits.level * (load - traits.solarShare * wander.clearness * sunAt(hour));
  }
  return { startUtcMs, stepMinutes: 60, timeZone, values, holidays };
}

function drawTraits(shape: GeneratedShape, random: Random): Traits {
  const between = (low: number, high: number) => low + (high - low) * random.next();
  const restShare = between(0.5, 1);
  const workday = drawProfile(shape, random);
  const flatter = between(0.3, 1);
  const isIndustrial = shape === 'industrial';
  // A street or a single plant is far less steady than a city.
  const unsteadiness = random.next() < 0.3 ? between(2, 5) : 1;
  return {
    workday,
    restDay: workday.map((load) => restShare * (1 + flatter * (load - 1))),
    restDays: restDayChoices[random.integer(restDayChoices.length)]!,
    level: 10 ** between(-1, 4),
    seasonShare: isIndustrial ? between(0, 0.05) : between(0, 0.25),
    seasonPeakDay: random.integer(365),
    solarShare: shape === 'solar' ? between(0.3, 0.9) : 0,
    dailyNoise: unsteadiness * (isIndustrial ? between(0, 0.03) : between(0.005, 0.06)),
    hourlyNoise: unsteadiness * between(0.002, 0.03),
  };
}

/** [24] loads around 1. */
function drawProfile(shape: GeneratedShape, random: Random): Float64Array {
  const bumps: { hour: number; width: number; height: number }[] = [];
  const bump = (hour: number, width: number, height: number) =>
    bumps.push({ hour: hour + random.gauss(), width: width * (0.7 + 0.6 * random.next()), height });
  if (shape === 'double-peak' || shape === 'solar') bump(8, 2, 0.2 + 0.3 * random.next());
  if (shape !== 'industrial' && shape !== 'random') bump(19, 2.5, 0.3 + 0.4 * random.next());
  if (shape === 'random') for (let i = 0; i < 3; i++) bump(random.integer(dayHours), 3, random.next() - 0.3);
  if (shape !== 'industrial') bump(14, 6, 0.3 * random.next());
  const [opens, closes, shift] = [5 + random.integer(4), 15 + random.integer(8), 0.6 * random.next()];
  const loads = Float64Array.from({ length: dayHours }, (_, hour) => {
    const open = shape === 'industrial' && hour >= opens && hour < closes ? shift : 0;
    return bumps.reduce((load, own) => load + own.height * bell(hour, own.hour, own.width), 1 + open);
  });
  const average = loads.reduce((sum, load) => sum + load / dayHours, 0);
  return loads.map((load) => load / average);
}

/** A bump around an hour of the day, across midnight too. */
function bell(hour: number, centre: number, width: number): number {
  const apart = Math.abs(hour - centre) % dayHours;
  const distance = Math.min(apart, dayHours - apart);
  return Math.exp(-((distance / width) ** 2) / 2);
}

function sunAt(hour: number): number {
  return Math.max(0, Math.cos(((hour - 13) / 14) * Math.PI)) ** 1.5;
}

function seasonAt(local: Date, traits: Traits): number {
  const dayOfYear = (local.getTime() - Date.UTC(local.getUTCFullYear(), 0, 1)) / (dayHours * hourMs);
  return traits.seasonShare * Math.cos((2 * Math.PI * (dayOfYear - traits.seasonPeakDay)) / 365.25);
}

function localOffsetHours(utcMs: number, timeZone: string): number {
  const local = new Date(utcMs).toLocaleString('sv-SE', { timeZone });
  return (Date.parse(`${local.replace(' ', 'T')}Z`) - utcMs) / hourMs;
}
