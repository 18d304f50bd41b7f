/** Hourly loads of a simulated site: people's hours in local time, weekends, holidays, weather and noise. Pure. */
import { toLocalTime } from '../domains/predictions/forecast-calendar.ts';
import type { Region } from './public-holidays.ts';
import { createRandom, type Random } from './random.ts';

export interface SitePlan {
  name: string;
  region: Region;
  /** Mean load without heating and cooling, megawatts. */
  baseMw: number;
  /** Share of the base load for each degree below or above comfort. */
  heating: number;
  cooling: number;
  /** Standard deviation of the hourly noise, as a share of the load. */
  noise: number;
}

interface Climate {
  timeZone: string;
  /** Degrees Celsius: mean of the year, half the difference of warmest and coldest month, and of day and night. */
  meanC: number;
  yearC: number;
  dayC: number;
  /** Day of the year of the warmest day. */
  warmestDay: number;
}

const hourMs = 3_600_000;
const dayHours = 24;
// Comfort of a building, whose walls follow the weather with this memory.
const heatBelowC = 16;
const coolAboveC = 20.5;
const wallMemoryHours = 9;

const climates: Record<Region, Climate> = {
  melbourne: { timeZone: 'Australia/Melbourne', meanC: 15.4, yearC: 5.6, dayC: 4.8, warmestDay: 25 },
  berlin: { timeZone: 'Europe/Berlin', meanC: 10.3, yearC: 9.6, dayC: 4.1, warmestDay: 204 },
  newYork: { timeZone: 'America/New_York', meanC: 13.1, yearC: 12.2, dayC: 4.2, warmestDay: 203 },
};

/** Share of the base load at each local hour, of a working day and of a day off. */
const workingDay = [
  0.76, 0.72, 0.7, 0.69, 0.71, 0.79, 0.93, 1.08, 1.13, 1.1, 1.07, 1.05, 1.04, 1.03, 1.02, 1.04, 1.1, 1.2, 1.26, 1.22,
  1.14, 1.05, 0.94, 0.84,
];
const dayOff = [
  0.77, 0.72, 0.69, 0.67, 0.67, 0.69, 0.74, 0.82, 0.91, 0.97, 0.99, 0.98, 0.97, 0.95, 0.93, 0.95, 1.01, 1.11, 1.16,
  1.13, 1.06, 0.99, 0.9, 0.82,
];

/** IANA name of a region's time zone. */
export function timeZoneOf(region: Region): string {
  return climates[region].timeZone;
}

/** The load of each of `hours` hours from `startMs` (a full hour), in megawatts with three decimals. */
export function simulateLoad(plan: SitePlan, holidays: ReadonlySet<string>, startMs: number, hours: number): number[] {
  const random = createRandom(`load of ${plan.name}, ${plan.baseMw}`);
  const climate = climates[plan.region];
  const nextTemperature = simulateTemperature(climate, random);
  const clock = createClock(climate.timeZone, holidays);
  let wallC = climate.meanC;
  let drift = 0;
  let noise = 0;
  return Array.from({ length: hours }, (_, i) => {
    const local = clock(startMs + i * hourMs);
    wallC += (nextTemperature(local) - wallC) / wallMemoryHours;
    drift = 0.998 * drift + 0.0011 * random.gauss();
    noise = 0.78 * noise + 0.62 * plan.noise * random.gauss();
    const activity = mixDays(local);
    const heating = plan.heating * Math.max(0, heatBelowC - wallC) * (0.55 + 0.45 * activity);
    const cooling = plan.cooling * Math.max(0, wallC - coolAboveC) * (0.25 + 0.75 * activity);
    const load = plan.baseMw * (activity + heating + cooling + eveningLight(local, climate)) * (1 + drift + noise);
    return Math.round(load * 1000) / 1000;
  });
}

interface LocalHour {
  hour: number;
  dayOfYear: number;
  /** Monday to Friday, and no holiday. */
  isWorking: boolean;
  isFriday: boolean;
}

/** The day's shape at this hour: Fridays end earlier, the days around New Year are half holidays. */
function mixDays({ hour, dayOfYear, isWorking, isFriday }: LocalHour): number {
  const quietDays = dayOfYear >= 357 || dayOfYear <= 3 ? 0.5 : 1;
  const early = isFriday && hour >= 14 ? 0.75 : 1;
  const work = isWorking ? quietDays * early : 0;
  const at = Math.floor(hour);
  return work * workingDay[at]! + (1 - work) * dayOff[at]!;
}

/** Lamps, in the evenings of the darker half year; the shortest day is about five months after the warmest. */
function eveningLight({ hour, dayOfYear }: LocalHour, { warmestDay }: Climate): number {
  const darkness = 0.5 + 0.5 * Math.cos((2 * Math.PI * (dayOfYear - warmestDay - 150)) / 365.25);
  return hour >= 17 && hour < 23 ? 0.03 * darkness : 0;
}

/** Weather: the season, the hour, fronts that last for days, and gusts. */
function simulateTemperature(climate: Climate, random: Random): (local: LocalHour) => number {
  let front = 0;
  return ({ hour, dayOfYear }) => {
    front = 0.988 * front + 0.55 * random.gauss();
    const season = climate.yearC * Math.cos((2 * Math.PI * (dayOfYear - climate.warmestDay)) / 365.25);
    const day = climate.dayC * Math.cos((2 * Math.PI * (hour - 15)) / dayHours);
    return climate.meanC + season + day + front;
  };
}

/** Local hours one after the other. The time zone is asked twice a day unless the clock changes: at 10 us each, every hour would take a second for six sites. */
function createClock(timeZone: string, holidays: ReadonlySet<string>): (utcMs: number) => LocalHour {
  let knownUntilMs = 0;
  let offsetMs = 0;
  const offsetAt = (utcMs: number) => {
    const { hourOfDay } = toLocalTime(utcMs, timeZone);
    const utcHour = (utcMs / hourMs) % dayHours;
    // Between -12 and +12 hours; no place of the seed lies beyond.
    return ((((hourOfDay - utcHour) % dayHours) + dayHours + 11) % dayHours) * hourMs - 11 * hourMs;
  };
  return (utcMs) => {
    if (utcMs >= knownUntilMs) {
      offsetMs = offsetAt(utcMs);
      const isSteady = offsetAt(utcMs + (dayHours - 1) * hourMs) === offsetMs;
      knownUntilMs = utcMs + (isSteady ? dayHours : 1) * hourMs;
    }
    return describe(utcMs + offsetMs, holidays);
  };
}

function describe(localMs: number, holidays: ReadonlySet<string>): LocalHour {
  const local = new Date(localMs);
  const weekday = local.getUTCDay();
  const isHoliday = holidays.has(local.toISOString().slice(0, 10));
  return {
    hour: local.getUTCHours(),
    dayOfYear: Math.floor((localMs - Date.UTC(local.getUTCFullYear(), 0, 1)) / (dayHours * hourMs)),
    isWorking: weekday >= 1 && weekday <= 5 && !isHoliday,
    isFriday: weekday === 5,
  };
}
