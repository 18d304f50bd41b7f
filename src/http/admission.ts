import { Counter, Gauge, type Registry } from 'prom-client';

export interface AdmissionOptions {
  /** Most requests at work at a time. */
  maxInFlight: number;
  /** How late the event loop may be before requests are shed. */
  maxEventLoopDelayMs: number;
  /** The database refuses new work anyway; said here it costs a tenth of what it costs in a resolver. */
  isDatabaseFull(): boolean;
  registry: Registry;
}

export type ShedReason = 'in_flight' | 'event_loop_delay' | 'database_queue';

/** Lets requests in, or says why not. */
export interface Admission {
  /** null: let in, and `leave` is to be called once when it is over. */
  enter(): ShedReason | null;
  leave(): void;
  close(): void;
}

const sampleMs = 100;
/** Shedding ends after so many samples in a row below half of the limit: about a quarter of a second. */
const calmSamples = 2;

/** Sheds what would only wait: nothing it refuses has been read or has cost more than its headers. */
export function createAdmission(options: AdmissionOptions): Admission {
  const { maxInFlight, maxEventLoopDelayMs, isDatabaseFull, registry } = options;
  const delay = watchEventLoop(maxEventLoopDelayMs);
  let inFlight = 0;
  const registers = [registry];
  const shed = new Counter({
    name: 'tributary_shed_total',
    help: 'Requests refused because the process had too much to do, by reason.',
    labelNames: ['reason'],
    registers,
  });
  new Gauge({
    name: 'tributary_requests_in_flight',
    help: 'Requests at work.',
    registers,
    collect() {
      this.set(inFlight);
    },
  });
  new Gauge({
    name: 'tributary_event_loop_delay_seconds',
    help: 'How late the event loop was in the last tenth of a second.',
    registers,
    aggregator: 'max',
    collect() {
      this.set(delay.currentMs() / 1000);
    },
  });
  const reasonNow = (): ShedReason | null => {
    if (inFlight >= maxInFlight) return 'in_flight';
    if (delay.isShedding()) return 'event_loop_delay';
    return isDatabaseFull() ? 'database_queue' : null;
  };
  return {
    enter() {
      const reason = reasonNow();
      if (reason === null) inFlight += 1;
      else shed.inc({ reason });
      return reason;
    },
    leave() {
      inFlight -= 1;
    },
    close: delay.close,
  };
}

/**
 * How late a timer of the process is. Between two samples the time since the last one counts, too: after a long block
 * the first requests may come before the timer does.
 */
function watchEventLoop(maxMs: number) {
  let sampledAt = performance.now();
  let lastMs = 0;
  let calm = calmSamples;
  const currentMs = () => Math.max(lastMs, performance.now() - sampledAt - sampleMs);
  const timer = setInterval(() => {
    const now = performance.now();
    lastMs = Math.max(0, now - sampledAt - sampleMs);
    sampledAt = now;
    if (lastMs > maxMs) calm = 0;
    else if (lastMs <= maxMs / 2) calm = Math.min(calm + 1, calmSamples);
  }, sampleMs);
  timer.unref();
  return {
    currentMs,
    isShedding: () => calm < calmSamples || currentMs() > maxMs,
    close: () => clearInterval(timer),
  };
}
