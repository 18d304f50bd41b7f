import { setTimeout as pause } from 'node:timers/promises';
import { type Figures, underLoad, type World } from './world.ts';

/** Redis is killed, and started again empty; requests must not notice. */
export function killRedis(world: World): Promise<Figures> {
  return underLoad(world, {
    fault: 'redis-killed',
    act: async () => {
      await world.redis.kill();
      await pause(3_000);
      await world.redis.start();
      return Date.now();
    },
  });
}

export function freezeRedis(world: World): Promise<Figures> {
  return underLoad(world, {
    fault: 'redis-frozen',
    act: async () => {
      world.redis.freeze();
      await pause(5_000);
      world.redis.thaw();
      return Date.now();
    },
  });
}

/** Redis is not there when the server starts, and comes later. */
export async function redisComesLater(world: World): Promise<Figures> {
  await world.redis.kill();
  return underLoad(world, {
    fault: 'redis-comes-later',
    act: async () => {
      await world.redis.start();
      return Date.now();
    },
  });
}

/** All inference workers end, three times. */
export async function killWorkers(world: World): Promise<Figures> {
  let ended = 0;
  const figures = await underLoad(world, {
    fault: 'inference-workers-killed',
    act: async (server) => {
      for (let round = 0; round < 3; round += 1) {
        server.signal('SIGUSR2');
        await pause(2_000);
      }
      ended = server.output().split('an inference worker ended').length - 1;
      return Date.now();
    },
  });
  const complaints = ended >= 3 ? [] : [`only ${ended} workers ended`];
  return { ...figures, complaints: [...figures.complaints, ...complaints] };
}
