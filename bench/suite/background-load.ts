/** A closed loop in a process of its own: its first message is the target, its argument the connections. Runs until it is ended. */
import { once } from 'node:events';
import autocannon from 'autocannon';
import type { BackgroundTarget } from './background.ts';

const connections = Number(process.argv[2]);
const [target] = (await once(process, 'message')) as [BackgroundTarget];
const load = autocannon({ ...target, connections, duration: 86_400 }, () => {});
load.once('response', () => process.send!('loaded'));
