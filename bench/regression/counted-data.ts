import { migrate } from '../../src/db/migrate.ts';
import { createPool } from '../../src/db/pool.ts';
import { scanModelRepository } from '../../src/inference/repository.ts';
import { createWorkerEngine } from '../../src/inference/worker-engine.ts';
import { parseScale, type Scale } from '../../src/seed/bulk/scale.ts';
import { seedScale } from '../../src/seed/bulk/seed-scale.ts';
import type { Progress } from '../../src/seed/progress.ts';

/** Seeded for another hour, features have other states and other numbers of deployments: by 2 % more or fewer of all figures. */
const now = new Date('2026-01-05T12:00:00Z');

const silent: Progress = { begin: () => {}, advance: () => {}, end: () => {}, note: () => {} };

/** Fills an empty database with the same rows each time. */
export async function seedCountedData(url: string, features: number): Promise<void> {
  await migrate(url);
  const database = createPool({ connection: url, size: 2 });
  try {
    const inference = await createWorkerEngine({ repository: await scanModelRepository('models'), workers: 1 });
    try {
      const scale = parseScale(String(features)) as Scale;
      await seedScale({ database, inference, now, scale, progress: silent });
    } finally {
      await inference.close();
    }
  } finally {
    await database.close();
  }
}
