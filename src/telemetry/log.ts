import { type Logger, pino } from 'pino';

/** JSON lines for collectors; readable lines on a terminal, where pino-pretty is installed (a development dependency). */
export async function createLog(level: string): Promise<Logger> {
  if (!process.stdout.isTTY) return pino({ level });
  const pretty = await import('pino-pretty').catch(() => null);
  if (!pretty) return pino({ level });
  return pino({ level }, pretty.PinoPretty({ ignore: 'pid,hostname', translateTime: 'HH:MM:ss', sync: true }));
}
